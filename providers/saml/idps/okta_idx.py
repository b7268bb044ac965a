"""Okta Identity Engine without a browser: what the org's sign-in page does with its JSON.

Owns which way on is taken. Source: okta/okta-signin-widget, `playground/mocks/data/idp/idx`, and
okta/okta-auth-js, `lib/idx`. FastPass and device trust answer to Okta Verify on the device, which a
browser reaches and we do not.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from broker.errors import LoginRefused, UnexpectedReply
from broker.ports.http import Reply
from broker.ports.ui import Ui
from broker.ports.urls import host_of, joined, require_origin
from providers.saml import api, factors, script, webauthn
from providers.saml.api import Answer
from providers.saml.factors import IN_A_BROWSER_ALONE, KEY, Factor, WrongCode
from providers.saml.idp import IdentityProvider
from providers.saml.idps import okta_device
from providers.saml.idps.okta_remediations import (
    PASSWORD,
    asks_for,
    choices,
    credential_ids,
    current,
    kind_of_current,
    label_of_current,
    message_of,
    names,
    remediation,
)
from providers.saml.refusals import BROWSER
from providers.saml.walk import Walk

MAX_STEPS = 30
MAX_STEP_UPS = 3
"""How often the app may ask for more after a sign-in."""
_JSON = "application/ion+json; okta-version=1.0.0"
_DEMANDS = {
    "reenroll-authenticator": "the password has expired",
    "reset-authenticator": "a new password is due",
    "enroll-profile": "the profile has to be completed first",
    "enroll-authenticator": "a second factor has to be registered first",
    "select-authenticator-enroll": "a second factor has to be registered first",
    "consent": "its terms have to be accepted first",
    "unlock-account": "the account is locked",
}
_FASTPASS = {"device-challenge-poll", "launch-authenticator", "challenge-device"}


class Idx:
    """One sign-in."""

    def __init__(self, idp: IdentityProvider) -> None:
        self._idp = idp
        self._ports = idp.ports
        self._sites = idp.options.password_origins()
        self._pages = Walk(idp.ports, idp.person, self._sites, mfa=idp.options.mfa)
        self._http = self._pages.http
        self._chosen: Factor | None = None
        self._number = ""
        self._ways: dict[str, Callable[[Answer, Answer], Answer]] = {
            "identify": self._identify,
            "challenge-authenticator": self._challenge,
            "challenge-poll": self._poll,
            "authenticator-verification-data": self._choose,
            "select-authenticator-authenticate": self._choose,
            "skip": self._skip,
        }

    def response(self) -> str | None:
        """The SAMLResponse; None where the app's page starts no such sign-in."""
        okta_device.be_the_same(self._http, self._ports.secrets, self._idp.url)
        page = self._http.get(self._idp.url)
        for number in range(1 + MAX_STEP_UPS):
            token = script.variable(page.text, "stateToken")
            answer = self._introspected(token) if token else None
            if answer is None:
                if number == 0:
                    return None
                break
            self._chosen = None
            page = self._until_success(answer)
        encoded = self._pages.onward(page)
        okta_device.keep(self._http, self._ports.secrets)
        return encoded

    def _introspected(self, token: str) -> Answer | None:
        reply = self._http.post(
            joined(self._idp.url, "/idp/idx/introspect"),
            json={"stateToken": token},
            headers={"Accept": _JSON, "Content-Type": _JSON},
            only_to=self._sites,
        )
        if "json" not in str(reply.headers.get("Content-Type")):
            return None
        answer = api.answer(reply)
        return answer if answer.get("stateHandle") else None

    def _until_success(self, answer: Answer) -> Reply:
        for _ in range(MAX_STEPS):
            href = api.at(answer, "success", "href") or api.at(answer, "successWithInteractionCode")
            if isinstance(href, str):
                return self._http.get(joined(self._idp.url, href))
            elsewhere = remediation(answer, "redirect-idp")
            if elsewhere and len(names(answer)) == 1:
                return self._http.get(joined(self._idp.url, str(elsewhere.get("href") or "")))
            answer = self._next(answer)
        raise UnexpectedReply("Okta's sign-in leads on without end")

    def _next(self, answer: Answer) -> Answer:
        """Take the first way on that we know and that fits."""
        another = remediation(answer, "select-authenticator-authenticate")
        for name, take in self._ways.items():
            way = remediation(answer, name)
            if way is None or (another and name.startswith("challenge") and self._unfit(answer)):
                continue
            return take(answer, way)
        raise _dead_end(answer, self._idp.url)

    def _unfit(self, answer: Answer) -> bool:
        """Whether another authenticator than the one that is asked now should be chosen."""
        kind, mfa = kind_of_current(answer), self._idp.options.mfa
        if kind == PASSWORD or self._chosen is not None:
            return False
        if kind == KEY and not mfa:
            return not (self._ports.ui.interactive and self._ports.security_keys.are_present())
        return kind in IN_A_BROWSER_ALONE - {KEY} or mfa not in {None, kind}

    def _post(self, answer: Answer, way: Answer, **values: object) -> Answer:
        """Take a way on.

        Raises:
            NetworkError: Too many tries.
            UnexpectedReply: It leads elsewhere than to the org.
        """
        address = joined(self._idp.url, str(way.get("href") or ""))
        require_origin(address, self._sites)
        reply = self._http.post(
            address,
            json={**values, "stateHandle": answer.get("stateHandle")},
            headers={"Accept": _JSON, "Content-Type": _JSON},
            only_to=self._sites,
        )
        api.require_not_throttled(reply)
        after = api.answer(reply)
        return {"stateHandle": answer.get("stateHandle"), **after}

    # The ways on

    def _identify(self, answer: Answer, way: Answer) -> Answer:
        values: Answer = {"identifier": self._idp.person.username()}
        if asks_for(way, "credentials"):
            secret = self._pages.answers.password_to(self._idp.url)
            values["credentials"] = {"passcode": secret}
        after = self._post(answer, way, **values)
        if remediation(after, "identify") is None:
            return after
        if "credentials" in values:
            raise self._pages.answers.password_refused(_okta(after))
        raise LoginRefused(_okta(after) or "Okta does not know this user name", hint="check it")

    def _challenge(self, answer: Answer, way: Answer) -> Answer:
        kind = kind_of_current(answer)
        if kind == PASSWORD:
            return self._password(answer, way)
        if kind == KEY:
            return self._sign(answer, way)
        factor = Factor(kind, label_of_current(answer))
        if kind in IN_A_BROWSER_ALONE:
            factors.choose([factor], None, self._ports.ui)
        if kind == "question":
            question = api.at(current(answer), "profile", "question") or label_of_current(answer)
            reply = self._idp.person.answer(api.plain_line(question), self._idp.url).reveal()
            fields = {"questionKey": api.at(current(answer), "profile", "questionKey")}
            return self._checked(answer, way, credentials={"answer": reply, **fields})
        latest = answer

        def send(code: str) -> Answer:
            nonlocal latest
            again = remediation(latest, "challenge-authenticator") or way
            latest = self._post(latest, again, credentials={"passcode": code})
            if message_of(latest) and not latest.get("success"):
                if remediation(latest, "challenge-authenticator") is None:
                    raise _dead_end(latest, self._idp.url)
                raise WrongCode(message_of(latest))
            return latest

        return factors.send_code(send, self._idp.person, self._ports.ui, factor, self._idp.url)

    def _password(self, answer: Answer, way: Answer) -> Answer:
        secret = self._pages.answers.password_to(self._idp.url)
        after = self._post(answer, way, credentials={"passcode": secret})
        again = remediation(after, "challenge-authenticator")
        if message_of(after) and again and kind_of_current(after) == PASSWORD:
            raise self._pages.answers.password_refused(_okta(after))
        return after

    def _sign(self, answer: Answer, way: Answer) -> Answer:
        """Let the security key sign the challenge; Okta wants it in standard base64."""
        options = api.at(current(answer), "contextualData", "challengeData")
        keys = self._ports.security_keys
        factors.choose([Factor(KEY, label_of_current(answer))], None, self._ports.ui, keys)
        asked = webauthn.challenge_of(self._idp.url, options, credentials=[*credential_ids(answer)])
        signed = keys.answer(asked, self._ports.ui)
        credentials = {
            "clientData": base64.b64encode(signed.client_data).decode(),
            "authenticatorData": base64.b64encode(signed.authenticator_data).decode(),
            "signatureData": base64.b64encode(signed.signature).decode(),
        }
        return self._checked(answer, way, credentials=credentials)

    def _checked(self, answer: Answer, way: Answer, **values: object) -> Answer:
        after = self._post(answer, way, **values)
        if message_of(after) and not after.get("success"):
            raise LoginRefused(_okta(after), hint="run it again")
        return after

    def _choose(self, answer: Answer, way: Answer) -> Answer:
        offered = [factor for factor in choices(answer, way) if factor.kind != PASSWORD] or choices(
            answer, way
        )
        if offered and offered[0].kind == PASSWORD:
            self._chosen = None
            return self._post(answer, way, authenticator=offered[0].handle)
        keys, before = self._ports.security_keys, self._chosen
        method = before and before.handle.get("methodType")
        same = [
            factor for factor in offered if method and factor.handle.get("methodType") == method
        ]
        self._chosen = (
            same[0]
            if len(same) == 1
            else factors.choose(offered, self._idp.options.mfa, self._ports.ui, keys)
        )
        if self._chosen.kind in {"push", "sms", "call", "email"}:
            self._ports.ui.waiting(f"{self._chosen.label}: on its way")
        return self._post(answer, way, authenticator=self._chosen.handle)

    def _poll(self, answer: Answer, way: Answer) -> Answer:
        """Wait for the push's answer, its number shown."""
        latest = answer
        self._number = _shown(self._ports.ui, answer, self._number)

        def ask() -> Answer | None:
            nonlocal latest
            again = remediation(latest, "challenge-poll")
            latest = self._post(latest, again or way)
            self._number = _shown(self._ports.ui, latest, self._number)
            if message_of(latest) and not latest.get("success"):
                raise LoginRefused(_okta(latest), hint="run it again and approve it")
            return None if remediation(latest, "challenge-poll") else latest

        every = api.seconds(way.get("refresh"), 4000, least=1000, most=10000) / 1000
        return factors.poll(ask, self._ports.clock, every=every)

    def _skip(self, answer: Answer, way: Answer) -> Answer:
        self._ports.ui.warn("Okta wants something set up at a later sign-in")
        return self._post(answer, way)


def _dead_end(answer: Answer, org: str) -> Exception:
    """What no way on of ours leads out of."""
    offered = names(answer)
    place = f"https://{host_of(org)}"
    detail = f": {message_of(answer)}" if message_of(answer) else ""
    for name, what in _DEMANDS.items():
        if name in offered:
            return LoginRefused(
                f"Okta says that {what}{detail}",
                hint=f"do that in a browser at {place} (or use `idp: browser`), then sign in again",
            )
    if _FASTPASS & set(offered):
        return LoginRefused(
            f"Okta wants FastPass, which proves the device to a browser alone{detail}",
            hint="`idp: browser` does it",
        )
    if detail and not offered:
        return LoginRefused(_okta(answer), hint="ask your helpdesk")
    return UnexpectedReply(
        f"Okta offers {', '.join(offered) or 'no way on'}, which awslogin does not"
        f" understand{detail}",
        hint=BROWSER,
    )


def _shown(ui: Ui, answer: Answer, before: str) -> str:
    """Show the number to match, where it is a new one; the number."""
    number = api.plain_line(api.at(current(answer), "contextualData", "correctAnswer"), 20)
    if number and number != before:
        ui.show(f"Tap {number} in Okta Verify")
    return number or before


def _okta(answer: Answer) -> str:
    return f"Okta says: {message_of(answer)}" if message_of(answer) else ""
