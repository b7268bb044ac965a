"""Okta's second factors in the authn API: chosen, triggered, waited for or answered by a code."""

from __future__ import annotations

import base64
from typing import Any

from broker.errors import LoginRefused
from broker.ports import Ports
from providers.saml import api, factors, webauthn
from providers.saml.api import Answer
from providers.saml.credentials import Person
from providers.saml.factors import Factor, WrongCode
from providers.saml.idps.okta_api import Authn, RefusedError, link

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
    "u2f": "u2f",
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
    "u2f": "security key of the days before WebAuthn",
    "duo": "Duo",
    "unknown": "unknown factor",
}
_TRIGGERED = {"push", "sms", "call", "email"}
"""Kinds whose first post makes Okta send something."""

_UNANSWERED = {
    "REJECTED": "the push was rejected",
    "TIMEOUT": "nobody answered the push in time",
    "TIME_WINDOW_EXCEEDED": "the push was answered too late",
    "CANCELLED": "the push was cancelled",
    "EXPIRED": "the push has expired",
    "FAILED": "the push failed",
    "ERROR": "the push failed",
}


class SecondFactors:
    """The second factors of one sign-in.

    Args:
        authn: The org's API.
        person: Who signs in.
        ports: The person to ask, the clock, the security keys.
        mfa: `mfa` of the YAML.
    """

    def __init__(self, authn: Authn, person: Person, ports: Ports, mfa: str | None) -> None:
        self._authn = authn
        self._person = person
        self._ui = ports.ui
        self._clock = ports.clock
        self._keys = ports.security_keys
        self._mfa = mfa
        self._shown: set[str] = set()

    def choose(self, answer: Answer) -> Answer:
        """Take one of the factors that the transaction offers."""
        offered = [_factor(data) for data in api.objects(api.at(answer, "_embedded", "factors"))]
        chosen = factors.choose(offered, self._mfa, self._ui, self._keys)
        href = _remembering(link(chosen.handle, "verify"))
        if chosen.kind in _TRIGGERED:
            self._ui.waiting(f"{chosen.label}: on its way")
            return self._authn.step(answer, href)
        if chosen.kind == factors.KEY:
            return self._authn.step(answer, href)  # brings the challenge
        return self._send_code(answer, chosen, href)

    def challenge(self, answer: Answer) -> Answer:
        """A factor has been triggered: a push is waited for, anything else brings a code."""
        factor = _factor(api.at(answer, "_embedded", "factor"))
        result = str(answer.get("factorResult") or "")
        if factor.kind in factors.IN_A_BROWSER_ALONE:
            factors.choose([factor], None, self._ui, self._keys)
        if result in _UNANSWERED:
            raise LoginRefused(f"Okta: {_UNANSWERED[result]}", hint="run it again")
        href = _remembering(link(answer, "next"))
        if factor.kind == "push":
            return self._wait_for_push(answer)
        if factor.kind == factors.KEY:
            return self._sign(answer, factor, href)
        return self._send_code(answer, factor, href)

    def _sign(self, answer: Answer, factor: Factor, href: str) -> Answer:
        """Let the security key sign the challenge; Okta wants it in standard base64."""
        embedded = answer.get("_embedded")
        challenge = api.at(factor.handle, "_embedded", "challenge") or api.at(embedded, "challenge")
        several = [factor.handle, *api.objects(api.at(embedded, "factors"))]
        key_ids = [api.at(data, "profile", "credentialId") for data in several]
        asked = webauthn.challenge_of(
            self._authn.address(href),
            challenge,
            credentials=[key_id for key_id in key_ids if key_id],
        )
        signed = self._keys.answer(asked, self._ui)
        return self._authn.step(
            answer,
            href,
            clientData=base64.b64encode(signed.client_data).decode(),
            authenticatorData=base64.b64encode(signed.authenticator_data).decode(),
            signatureData=base64.b64encode(signed.signature).decode(),
        )

    def _wait_for_push(self, answer: Answer) -> Answer:
        latest = answer
        href = link(answer, "next")
        self._show_number(answer)

        def ask() -> Answer | None:
            nonlocal latest
            again = _remembering(link(latest, "next") or href)
            latest = self._authn.step(latest, again, retry=True)
            self._show_number(latest)
            result = str(latest.get("factorResult") or "")
            waiting = latest.get("status") == "MFA_CHALLENGE" and result not in _UNANSWERED
            return None if waiting else latest

        return factors.poll(ask, self._clock, every=PUSH_EVERY)

    def _show_number(self, answer: Answer) -> None:
        path = ("_embedded", "factor", "_embedded", "challenge", "correctAnswer")
        number = api.at(answer, *path)
        shown = "" if number is None else api.plain_line(str(number), 20)
        if shown and shown not in self._shown:
            self._shown.add(shown)
            self._ui.show(f"Tap {shown} in Okta Verify")

    def _send_code(self, answer: Answer, factor: Factor, href: str) -> Answer:
        if factor.kind == "question":
            question = api.plain_line(api.at(factor.handle, "profile", "questionText"))
            reply = self._person.answer(question, self._authn.address(href))
            return self._authn.step(answer, href, answer=reply.reveal())

        def send(code: str) -> Answer:
            try:
                return self._authn.step(answer, href, passCode=code)
            except RefusedError as refused:
                if refused.code == "E0000068":
                    raise WrongCode(refused.summary) from None
                raise

        return factors.send_code(send, self._person, self._ui, factor, self._authn.address(href))


def _factor(data: Any) -> Factor:
    """One of `_embedded.factors`."""
    kind = _KINDS.get(str(api.at(data, "factorType")), "unknown")
    names = ("phoneNumber", "email", "name", "authenticatorName", "questionText", "credentialId")
    details = (api.plain_line(api.at(data, "profile", name), 60) for name in names)
    what = _NAMES[kind]
    if kind in {"totp", "token"}:
        what += f" ({api.plain_line(api.at(data, 'provider'), 20).title()})"
    if kind == "unknown":
        what = api.plain_line(api.at(data, "factorType"), 40) or what
    label = f"{what} {next(filter(None, details), '')}".strip()
    return Factor(kind, label, data, api.plain_line(api.at(data, "id"), 60))


def _remembering(href: str) -> str:
    """A verify link that asks Okta to remember this device."""
    if "rememberDevice=" in href:
        return href
    return f"{href}{'&' if '?' in href else '?'}rememberDevice=true"
