"""PingOne: the flow API that its sign-on page uses; PingID's own pages are `pingfederate`'s.

Source: developer.pingidentity.com, "PingOne Flows" (states, media types) and "SAML sign-on flow".
DaVinci's flows are scripts of each customer's own: the browser's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from broker.errors import LoginRefused, UnexpectedReply
from broker.ports.http import Reply
from broker.ports.urls import host_of, joined, origin, without_query
from broker.ports.webauthn import page_origin
from providers.saml import api, factors, webauthn
from providers.saml.api import Answer
from providers.saml.factors import KEY, Factor, WrongCode
from providers.saml.idps.form_or_browser import FormOrBrowser
from providers.saml.page import Page
from providers.saml.refusals import needs_browser
from providers.saml.walk import PageReader, Walk

MAX_STEPS = 20
PUSH_EVERY = 2.0
"""Seconds between two questions whether the push was answered."""
_KINDS = {
    "TOTP": ("totp", "authenticator app"),
    "OATH_TOKEN": ("token", "hardware token"),
    "SMS": ("sms", "SMS"),
    "WHATSAPP": ("sms", "WhatsApp"),
    "VOICE": ("call", "call"),
    "EMAIL": ("email", "e-mail"),
    "MOBILE": ("push", "PingID push"),
    "FIDO2": (KEY, "security key"),
    "SECURITY_KEY": (KEY, "security key"),
    "PLATFORM": ("unknown", "passkey of a system"),
}
_DEMANDS = {
    "PASSWORD_EXPIRED": "the password has expired",
    "MUST_CHANGE_PASSWORD": "a new password is due",
    "RECOVERY_CODE_REQUIRED": "the account is being recovered",
    "VERIFICATION_CODE_REQUIRED": "the e-mail address has to be verified first",
    "PROFILE_DATA_REQUIRED": "the profile has to be completed first",
    "ACCOUNT_LINKING_REQUIRED": "the account has to be linked first",
    "AGREEMENT_CONSENT_REQUIRED": "its terms have to be accepted first",
    "MFA_DEVICE_PAIRING_METHOD_REQUIRED": "a second factor has to be registered first",
    "PUSH_CONFIRMATION_TIMED_OUT": "nobody answered the push in time",
    "PUSH_CONFIRMATION_REJECTED": "the push was rejected",
}


class PingOne(FormOrBrowser):
    """`url` is the app's, `https://auth.pingone.eu/ENV/saml20/idp/startsso?spEntityId=…`."""


class PingOnePages(PageReader):
    """The sign-on page is a script; what it does with the flow is done here."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the flow in its address."""
        query = parse_qs(urlsplit(page.url).query)
        return not page.forms and {"environmentId", "flowId"} <= set(query)

    @classmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """Go through the flow, and where it resumes."""
        return _Flow(page, walk).taken()


class _Flow:
    """One flow."""

    def __init__(self, page: Page, walk: Walk) -> None:
        self._page = page
        self._walk = walk
        parts = urlsplit(page.url)
        query = parse_qs(parts.query)
        host = parts.netloc
        if (parts.hostname or "").startswith("apps.pingone."):
            host = host.replace("apps.", "auth.", 1)
        environment, flow = (quote(query[name][0], safe="") for name in ("environmentId", "flowId"))
        self._address = f"{parts.scheme}://{host}/{environment}/flows/{flow}"
        self._chosen: Factor | None = None
        self._states: dict[str, Callable[[Answer], Answer]] = {
            "USERNAME_PASSWORD_REQUIRED": self._password,
            "SIGN_ON_REQUIRED": self._password,
            "PASSWORD_REQUIRED": self._password,
            "DEVICE_SELECTION_REQUIRED": self._select,
            "OTP_REQUIRED": self._code,
            "PUSH_CONFIRMATION_REQUIRED": self._push,
            "ASSERTION_REQUIRED": self._sign,
        }

    def taken(self) -> Reply:
        """The page that the flow resumes at."""
        state = self._read()
        for _ in range(MAX_STEPS):
            status = str(state.get("status") or "")
            if status == "COMPLETED":
                return self._walk.http.get(joined(self._address, str(state.get("resumeUrl") or "")))
            if status not in self._states:
                raise self._dead_end(status, state)
            state = self._states[status](state)
        raise UnexpectedReply(f"{without_query(self._page.url)} leads on without end")

    def _read(self) -> Answer:
        reply = self._walk.http.get(self._address, headers={"Accept": "application/json"})
        answer = api.answer(reply)
        if reply.status >= 400:
            raise needs_browser(self._address, f"knows no such flow ({reply.status})")
        return answer

    def _post(self, action: str, **body: Any) -> tuple[Answer, str]:
        """One action; the state that follows, and what is wrong, or empty."""
        reply = self._walk.http.post(
            self._address,
            json=body,
            headers={
                "Accept": "application/json",
                "Content-Type": f"application/vnd.pingidentity.{action}+json",
            },
            only_to={origin(self._address)},
        )
        answer = api.answer(reply)
        api.require_not_throttled(reply)
        if reply.status < 400:
            return answer, ""
        details = [
            api.plain_line(detail.get("message")) for detail in api.objects(answer.get("details"))
        ]
        message = " ".join(filter(None, details)) or api.plain_line(answer.get("message"))
        codes = {str(detail.get("code")) for detail in api.objects(answer.get("details"))}
        if "PASSWORD_LOCKED_OUT" in codes:
            raise LoginRefused(
                f"PingOne says that the account is locked: {message}", hint=_HELPDESK
            )
        return answer, message or f"it answers {reply.status}"

    # States

    def _password(self, state: Answer) -> Answer:
        if not _links(state, "usernamePassword.check"):
            raise self._dead_end(str(state.get("status")), state)
        secret = self._walk.answers.password_to(self._address)
        user = self._walk.person.username()
        after, wrong = self._post("usernamePassword.check", username=user, password=secret)
        if wrong:
            raise self._walk.answers.password_refused(f"PingOne says: {wrong}")
        return after

    def _select(self, state: Answer) -> Answer:
        devices = [_factor(device) for device in api.objects(api.at(state, "_embedded", "devices"))]
        ports = self._walk.ports
        self._chosen = factors.choose(devices, self._walk.choice.mfa, ports.ui, ports.security_keys)
        if self._chosen.kind in {"push", "sms", "call", "email"}:
            ports.ui.waiting(f"{self._chosen.label}: on its way")
        after, wrong = self._post("device.select", device={"id": self._chosen.handle})
        return self._unless(wrong, after)

    def _code(self, state: Answer) -> Answer:
        chosen = self._device(state, "totp")

        def send(code: str) -> Answer:
            after, wrong = self._post("otp.check", otp=code)
            if wrong:
                raise WrongCode(wrong)
            return after

        return factors.send_code(
            send, self._walk.person, self._walk.ports.ui, chosen, self._address
        )

    def _push(self, state: Answer) -> Answer:
        self._walk.ports.ui.waiting(f"{self._device(state, 'push').label}: waiting for it")

        def ask() -> Answer | None:
            after = self._read()
            return None if after.get("status") == "PUSH_CONFIRMATION_REQUIRED" else after

        return factors.poll(ask, self._walk.ports.clock, every=PUSH_EVERY)

    def _sign(self, state: Answer) -> Answer:
        """Let the security key sign; the options come as JSON within JSON."""
        options = state.get("publicKeyCredentialRequestOptions")
        try:
            options = json.loads(options) if isinstance(options, str) else options
        except (ValueError, RecursionError):
            options = None
        ports, chosen = self._walk.ports, self._device(state, KEY)
        factors.choose([chosen], None, ports.ui, ports.security_keys)
        asked = webauthn.challenge_of(self._page.url, options)
        signed = webauthn.credential(ports.security_keys.answer(asked, ports.ui))
        after, wrong = self._post(
            "assertion.check",
            assertion=json.dumps(signed),
            origin=page_origin(self._page.url),
            compatibility="FULL",
        )
        return self._unless(wrong, after)

    def _device(self, state: Answer, kind: str) -> Factor:
        """The device that is asked: as it was chosen, else as the flow says."""
        listed = api.objects(api.at(state, "_embedded", "devices"))
        known = str(api.at(state, "selectedDevice", "id") or "")
        found = next((_factor(device) for device in listed if device.get("id") == known), None)
        return self._chosen or found or Factor(kind, "second factor")

    def _unless(self, wrong: str, after: Answer) -> Answer:
        if wrong:
            raise LoginRefused(f"PingOne refused the second factor: {wrong}", hint="run it again")
        return after

    def _dead_end(self, status: str, state: Answer) -> Exception:
        if status in _DEMANDS:
            return LoginRefused(
                f"PingOne says that {_DEMANDS[status]} ({status})",
                hint=f"do that in a browser at {host_of(self._page.url)}, then sign in again",
            )
        if status == "FAILED":
            message = api.plain_line(api.at(state, "error", "message"))
            return LoginRefused(f"PingOne ended the sign-in: {message or status}", hint=_HELPDESK)
        what = api.plain_line(status, 60) or "nothing"
        return needs_browser(self._page.url, f"asks for {what}, which awslogin does not understand")


_HELPDESK = "ask its helpdesk, or see in a browser what it wants"


def _links(state: Answer, name: str) -> bool:
    links = state.get("_links")
    return not isinstance(links, dict) or name in links


def _factor(device: Answer) -> Factor:
    name = str(device.get("type") or "")
    kind, label = _KINDS.get(name, ("unknown", api.plain_line(name, 40) or "unknown"))
    names = (device.get(field) for field in ("nickname", "name", "phone", "email"))
    whose = api.plain_line(next((text for text in names if isinstance(text, str) and text), ""), 60)
    number = api.plain_line(device.get("id"), 60)
    return Factor(kind, f"{label} {whose}".strip(), device.get("id"), number)
