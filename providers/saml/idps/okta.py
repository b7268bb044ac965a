"""Okta: which engine the org runs, and the sign-in of the Classic one by its authn API.

Source: Okta's Authentication API ("authn") reference; https://developer.okta.com. Identity Engine
is `okta_engine`'s.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from broker.errors import ConfigError, LoginRefused, UnexpectedReply
from broker.ports.http import Reply
from broker.ports.urls import is_loopback, joined
from providers.saml import api, factors, script
from providers.saml.factors import Factor, WrongCode
from providers.saml.idp import IdentityProvider
from providers.saml.walk import SignIn

Answer = dict[str, Any]

MAX_STEPS = 20
MAX_STEP_UPS = 3
PUSH_EVERY = 2.0
"""Seconds between two questions whether the push was answered."""

_KINDS = {
    "push": "push",
    "token:software:totp": "totp",
    "token": "token",
    "token:hardware": "token",
    "token:hotp": "token",
    "sms": "sms",
    "call": "call",
    "email": "email",
    "question": "question",
    "webauthn": "webauthn",
    "u2f": "webauthn",
    "web": "duo",
    "claims_provider": "duo",
}
_NAMES = {
    "push": "Okta Verify push",
    "totp": "authenticator app",
    "token": "hardware token",
    "sms": "SMS",
    "call": "call",
    "email": "e-mail",
    "question": "security question",
    "webauthn": "security key",
    "duo": "Duo",
    "unknown": "unknown factor",
}
_TRIGGERED = {"push", "sms", "call", "email"}
"""Kinds whose first post makes Okta send something."""

_DEAD_ENDS = {
    "LOCKED_OUT": "the account is locked",
    "PASSWORD_EXPIRED": "the password has expired",
    "PASSWORD_RESET": "a new password is due",
    "RECOVERY": "the account is being recovered",
    "RECOVERY_CHALLENGE": "the account is being recovered",
    "MFA_ENROLL": "a second factor has to be registered first",
    "MFA_ENROLL_ACTIVATE": "a second factor has to be activated first",
    "CONSENT_REQUIRED": "its terms have to be accepted first",
    "PROFILE_REQUIRED": "the profile has to be completed first",
}
_UNANSWERED = {
    "REJECTED": "the push was rejected",
    "TIMEOUT": "nobody answered the push in time",
    "TIME_WINDOW_EXCEEDED": "the push was answered too late",
    "CANCELLED": "the push was cancelled",
    "EXPIRED": "the push has expired",
    "FAILED": "the push failed",
    "ERROR": "the push failed",
}


class _RefusedError(Exception):
    """Okta's refusal.

    Attributes:
        code: Such as `E0000004`.
        said: Okta's words.
    """

    def __init__(self, answer: Answer, status: int) -> None:
        causes = [cause.get("errorSummary") for cause in api.objects(answer.get("errorCauses"))]
        self.code = str(answer.get("errorCode") or f"HTTP {status}")
        self.said = api.words(next(filter(None, causes), answer.get("errorSummary")))
        super().__init__(self.code)


class Okta(IdentityProvider):
    """Takes the way that the org's engine has."""

    def response(self) -> str:
        """Sign in, and open the app."""
        self.ports.ui.progress(f"signing in at {urlsplit(self.url).netloc}")
        if self._runs_identity_engine():
            return self._by_identity_engine()
        return Classic(self).response()

    def forget(self) -> None:
        """Be a new device at the next sign-in."""
        self.ports.secrets.forget("device")
        self.ports.secrets.forget("okta-tokens")

    def _runs_identity_engine(self) -> bool:
        """What the org says of itself; one that does not say is a Classic one."""
        reply = self.ports.http.session().get(
            joined(self.url, "/.well-known/okta-organization"),
            headers={"Accept": "application/json"},
        )
        try:
            return reply.status == 200 and api.answer(reply).get("pipeline") == "idx"
        except UnexpectedReply:
            return False

    def _by_identity_engine(self) -> str:
        from providers.saml.idps.okta_engine import IdentityEngine

        given = {"client_id": self.options.client_id, "app_id": self.options.app_id}
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise needs_identity_engine(self.url, missing)
        return IdentityEngine(self).response()


def needs_identity_engine(url: str, missing: list[str]) -> ConfigError:
    """The org runs Identity Engine, and the YAML lacks what that needs."""
    return ConfigError(
        f"{urlsplit(url).netloc} runs Okta Identity Engine, which needs"
        f" {' and '.join(f'`{name}`' for name in missing)} of the provider",
        hint="ask Okta's administrator for a native OIDC app with device authorization (see"
        " docs/providers/okta.md), or use `idp: browser`",
    )


class Classic:
    """One sign-in by the authn API, step by step until it gives a session, then the app's pages."""

    def __init__(self, idp: Okta) -> None:
        self._idp = idp
        self._ui = idp.ports.ui
        self._person = idp.person
        self._sites = idp.options.password_origins()
        self._pages = SignIn(idp.ports, idp.person, self._sites)
        self._http = self._pages.http
        self._password_sent = False
        self._shown: set[str] = set()
        self._steps: dict[str, Callable[[Answer], Answer]] = {
            "UNAUTHENTICATED": self._password,
            "PASSWORD_WARN": self._skip_warning,
            "MFA_ENROLL": self._skip,
            "MFA_REQUIRED": self._choose_factor,
            "MFA_CHALLENGE": self._challenge,
        }

    def response(self) -> str:
        """From the password to the SAMLResponse."""
        self._be_the_same_device()
        page = self._with_session(self._until_success(self._password({})))
        for _ in range(MAX_STEP_UPS):
            token = script.variable(page.text, "stateToken")
            if not token:
                break
            page = self._step_up(token)
        encoded = self._pages.onward(page)
        self._keep_the_device()
        return encoded

    # The API

    def _post(self, href: str, body: Answer, *, retry: bool = False) -> Answer:
        reply = self._http.post(
            joined(self._idp.url, href),
            json=body,
            headers={"Accept": "application/json"},
            only_to=self._sites,
            retry=retry,
        )
        answer = api.answer(reply)
        if reply.status >= 400:
            raise _RefusedError(answer, reply.status)
        return answer

    def _step(self, answer: Answer, href: str, /, *, retry: bool = False, **more: str) -> Answer:
        """The next step of a transaction; the newest state token counts."""
        token = answer.get("stateToken") or ""
        fresh = self._post(href, {"stateToken": token, **more}, retry=retry)
        return {"stateToken": token, **fresh}

    def _until_success(self, answer: Answer) -> Answer:
        for _ in range(MAX_STEPS):
            status = str(answer.get("status") or "")
            if status == "SUCCESS":
                return answer
            try:
                answer = self._next(status, answer)
            except _RefusedError as refused:
                over = refused.code == "E0000011"
                raise LoginRefused(
                    f"Okta refused: {refused.said or refused.code}",
                    hint="the sign-in took too long: run it again" if over else "ask your helpdesk",
                ) from None
        raise UnexpectedReply("Okta's sign-in leads on without end")

    def _next(self, status: str, answer: Answer) -> Answer:
        if status in self._steps:
            return self._steps[status](answer)
        if status in _DEAD_ENDS:
            raise self._dead_end(status)
        raise UnexpectedReply(
            f"Okta answers with the state {api.words(status, 60) or 'nothing'}, which awslogin does"
            " not understand",
            hint="`idp: browser` signs in through any state",
        )

    def _dead_end(self, status: str) -> LoginRefused:
        place = joined(self._idp.url, "/")
        return LoginRefused(
            f"Okta says {status}: {_DEAD_ENDS[status]}",
            hint=f"do that in a browser at {place} (or use `idp: browser`), then sign in again",
        )

    # The password

    def _password(self, answer: Answer) -> Answer:
        """Post it, once."""
        if self._password_sent:
            raise LoginRefused("Okta asks for the password again", hint="run it again")
        body = {
            "username": self._person.username(),
            "password": self._person.password().reveal(),
        }
        if answer.get("stateToken"):
            body["stateToken"] = answer["stateToken"]
        self._password_sent = True
        try:
            return self._post(_link(answer, "next") or "/api/v1/authn", body)
        except _RefusedError as refused:
            if refused.code == "E0000004":
                self._person.password_was_refused()
            raise LoginRefused(
                f"Okta refused the sign-in: {refused.said or refused.code}",
                hint="check the user name and the password; a locked account looks the same",
            ) from None

    def _skip_warning(self, answer: Answer) -> Answer:
        days = api.at(answer, "_embedded", "policy", "expiration", "passwordExpireDays")
        when = f"in {api.words(days, 10)} days" if days else "soon"
        self._ui.warn(f"the Okta password expires {when}")
        return self._skip(answer)

    def _skip(self, answer: Answer) -> Answer:
        href = _link(answer, "skip")
        if not href:
            status = str(answer.get("status"))
            raise self._dead_end("PASSWORD_RESET" if status == "PASSWORD_WARN" else status)
        return self._step(answer, href)

    # Second factors

    def _choose_factor(self, answer: Answer) -> Answer:
        offered = [_factor(data) for data in api.objects(api.at(answer, "_embedded", "factors"))]
        chosen = factors.choose(offered, self._idp.options.mfa, self._ui)
        href = _remembering(_link(chosen.handle, "verify"))
        if chosen.kind in _TRIGGERED:
            self._ui.progress(f"{chosen.label}: on its way")
            return self._step(answer, href)
        return self._send_code(answer, chosen, href)

    def _challenge(self, answer: Answer) -> Answer:
        """A factor has been triggered: a push is waited for, anything else brings a code."""
        factor = _factor(api.at(answer, "_embedded", "factor"))
        result = str(answer.get("factorResult") or "")
        if factor.kind in factors.IN_A_BROWSER_ALONE:
            factors.choose([factor], None, self._ui)
        if result in _UNANSWERED:
            raise LoginRefused(f"Okta: {_UNANSWERED[result]}", hint="run it again")
        href = _remembering(_link(answer, "next"))
        if factor.kind == "push":
            return self._wait_for_push(answer)
        return self._send_code(answer, factor, href)

    def _wait_for_push(self, answer: Answer) -> Answer:
        latest = answer
        href = _link(answer, "next")
        self._show_number(answer)

        def ask() -> Answer | None:
            nonlocal latest
            latest = self._step(latest, _remembering(_link(latest, "next") or href), retry=True)
            self._show_number(latest)
            result = str(latest.get("factorResult") or "")
            waiting = latest.get("status") == "MFA_CHALLENGE" and result not in _UNANSWERED
            return None if waiting else latest

        return factors.poll(ask, self._idp.ports.clock, every=PUSH_EVERY)

    def _show_number(self, answer: Answer) -> None:
        path = ("_embedded", "factor", "_embedded", "challenge", "correctAnswer")
        number = api.at(answer, *path)
        shown = "" if number is None else api.words(str(number), 20)
        if shown and shown not in self._shown:
            self._shown.add(shown)
            self._ui.show(f"Tap {shown} in Okta Verify")

    def _send_code(self, answer: Answer, factor: Factor, href: str) -> Answer:
        if factor.kind == "question":
            question = api.words(api.at(factor.handle, "profile", "questionText"))
            reply = self._person.answer(question or "Answer to the security question")
            return self._step(answer, href, answer=reply.reveal())

        def send(code: str) -> Answer:
            try:
                return self._step(answer, href, passCode=code)
            except _RefusedError as refused:
                if refused.code == "E0000068":
                    raise WrongCode(refused.said) from None
                raise

        return factors.send_code(send, self._person, self._ui, factor)

    # The session and the app

    def _with_session(self, done: Answer) -> Reply:
        """Open the app with what the transaction gave."""
        if done.get("sessionToken"):
            return self._http.get(
                joined(self._idp.url, "/login/sessionCookieRedirect"),
                params={
                    "checkAccountSetupComplete": "true",
                    "token": str(done["sessionToken"]),
                    "redirectUrl": self._idp.url,
                },
            )
        return self._http.get(joined(self._idp.url, _link(done, "next")))

    def _step_up(self, token: str) -> Reply:
        """The app asks for more: its page carries a state token of its own."""
        try:
            answer = self._post("/api/v1/authn", {"stateToken": token})
        except _RefusedError as refused:
            if refused.code == "E0000011":
                raise needs_identity_engine(self._idp.url, ["client_id", "app_id"]) from None
            raise LoginRefused(f"Okta refused: {refused.said or refused.code}") from None
        return self._with_session(self._until_success({"stateToken": token, **answer}))

    # The remembered device

    def _be_the_same_device(self) -> None:
        """Show the device token of the last sign-in; a new device names itself."""
        kept = self._idp.ports.secrets.recall("device")
        host = urlsplit(self._idp.url).hostname or ""
        self._http.cookies.set(
            "DT",
            kept["token"] if kept else secrets.token_urlsafe(18),
            domain=host if "." in host else f"{host}.local",
            path="/",
            secure=not is_loopback(host),
        )

    def _keep_the_device(self) -> None:
        tokens = [cookie.value for cookie in self._http.cookies if cookie.name == "DT"]
        if tokens and tokens[-1]:
            self._idp.ports.secrets.remember("device", {"token": tokens[-1]}, until=None)


def _factor(data: Any) -> Factor:
    """One of `_embedded.factors`."""
    kind = _KINDS.get(str(api.at(data, "factorType")), "unknown")
    names = ("phoneNumber", "email", "name", "authenticatorName", "questionText", "credentialId")
    told = (api.words(api.at(data, "profile", name), 60) for name in names)
    what = _NAMES[kind]
    if kind in {"totp", "token"}:
        what += f" ({api.words(api.at(data, 'provider'), 20).title()})"
    if kind == "unknown":
        what = api.words(api.at(data, "factorType"), 40) or what
    return Factor(kind, f"{what} {next(filter(None, told), '')}".strip(), data)


def _link(answer: Any, name: str) -> str:
    """`_links.name.href`; Okta may give a list of links."""
    link = api.at(answer, "_links", name)
    if isinstance(link, list):
        link = next(iter(link), None)
    return str(api.at(link, "href") or "")


def _remembering(href: str) -> str:
    """A verify link that asks Okta to remember this device."""
    if "rememberDevice=" in href:
        return href
    return f"{href}{'&' if '?' in href else '?'}rememberDevice=true"
