"""OneLogin: its SAML assertion API, with an API client of the organisation.

Source: OneLogin's developer pages, "Generate SAML Assertion" and "Verify Factor" (v2). Replies of
its v1, which wrap all in `status` and `data`, are read too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from broker.errors import LoginRefused, UnexpectedReply
from broker.ports.urls import joined, origin
from providers.saml import api, factors
from providers.saml.api import Answer
from providers.saml.factors import Factor, WrongCode
from providers.saml.idp import IdentityProvider

PUSH_EVERY = 1.0
"""Seconds between two questions whether the push was answered."""

_KINDS = (
    ("protect", "push"),
    ("sms", "sms"),
    ("voice", "call"),
    ("phone", "call"),
    ("email", "email"),
    ("yubi", "token"),
    ("rsa", "token"),
    ("webauthn", "webauthn"),
    ("fido", "webauthn"),
)
"""Part of a device type, in lower case, and its kind; any other takes codes of an app."""
_TRIGGERED = {"sms", "call", "email"}


class OneLogin(IdentityProvider):
    """Password and code go to the API; no page is read."""

    def response(self) -> str:
        """Sign in."""
        self.ports.ui.progress(f"signing in at {urlsplit(self.url).netloc}")
        self._http = self.ports.http.session()
        self._site = {origin(self.url)}
        self._headers = {
            "Accept": "application/json",
            "Authorization": f"bearer:{self._access_token()}",
        }
        answer = self._assertion()
        if not answer.get("state_token"):
            return _response(answer)
        return _response(self._verified(answer))

    def _access_token(self) -> str:
        """The API client's token."""
        client = str(self.options.client_id)
        reply = self._http.post(
            joined(self.url, "/auth/oauth2/v2/token"),
            json={"grant_type": "client_credentials"},
            auth=(client, self.person.client_secret(client, self.url).reveal()),
            only_to=self._site,
        )
        answer = _flat(api.answer(reply))
        if reply.status in {400, 401, 403}:
            self.person.client_secret_was_refused(client)
            raise LoginRefused(
                f"OneLogin refused the API client {client}: {_message(answer)}",
                hint="check `client_id` and AWSLOGIN_CLIENT_SECRET; the client needs the scope"
                " “Authentication Only”",
            )
        if not answer.get("access_token"):
            raise UnexpectedReply(f"OneLogin gives no access token: {_message(answer)}")
        return str(answer["access_token"])

    def _assertion(self) -> Answer:
        """Post the password, once."""
        body = {
            "username_or_email": self.person.username(),
            "password": self.person.password(self.url).reveal(),
            "app_id": self.options.app_id,
            "subdomain": self.options.subdomain,
        }
        reply = self._http.post(
            joined(self.url, "/api/2/saml_assertion"),
            json=body,
            headers=self._headers,
            only_to=self.options.password_origins(),
        )
        answer = _flat(api.answer(reply))
        if reply.status < 400:
            return answer
        hint = "check `app_id` and `subdomain` of the provider"
        if reply.status == 401:
            hint = f"check the user name and the password{self.person.password_was_refused()}"
        raise LoginRefused(f"OneLogin refused the sign-in: {_message(answer)}", hint=hint)

    # Second factors

    def _verified(self, answer: Answer) -> Answer:
        devices = self._takers([_factor(device) for device in api.objects(answer.get("devices"))])
        chosen = factors.choose(devices, self.options.mfa, self.ports.ui)
        state = {"token": str(answer["state_token"])}
        if chosen.kind == "push":
            return self._pushed(chosen, state)
        if chosen.kind in _TRIGGERED:
            self._verify(chosen, state)
            self.ports.ui.waiting(f"{chosen.label}: on its way")

        def send(code: str) -> Answer:
            return self._verify(chosen, state, otp_token=code, do_not_notify=True)

        return factors.send_code(send, self.person, self.ports.ui, chosen, self.url)

    def _pushed(self, chosen: Factor, state: dict[str, str]) -> Answer:
        """Send one push, then ask for its answer without sending another."""
        self.ports.ui.show("Approve the sign-in in OneLogin Protect")
        answer = self._verify(chosen, state)

        def ask() -> Answer | None:
            nonlocal answer
            if _is_pending(answer):
                answer = self._verify(chosen, state, do_not_notify=True)
            return None if _is_pending(answer) else answer

        return factors.poll(ask, self.ports.clock, every=PUSH_EVERY)

    def _verify(self, chosen: Factor, state: dict[str, str], **more: Any) -> Answer:
        body = {
            "app_id": self.options.app_id,
            "device_id": str(chosen.handle),
            "state_token": state["token"],
            **more,
        }
        reply = self._http.post(
            joined(self.url, "/api/2/saml_assertion/verify_factor"),
            json=body,
            headers=self._headers,
            only_to=self._site,
            retry="do_not_notify" in more and "otp_token" not in more,  # a poll
        )
        answer = _flat(api.answer(reply))
        state["token"] = str(answer.get("state_token") or state["token"])
        if "otp_token" in more and not answer.get("data"):
            raise WrongCode(_message(answer))
        if reply.status >= 400:
            raise LoginRefused(
                f"OneLogin refused the second factor: {_message(answer)}", hint="run it again"
            )
        return answer

    def _takers(self, devices: list[Factor]) -> list[Factor]:
        """OneLogin Protect shows codes too: it takes them where `mfa: totp` finds nothing else."""
        if self.options.mfa != "totp" or any(device.kind == "totp" for device in devices):
            return devices
        return [
            replace(device, kind="totp") if device.kind == "push" else device for device in devices
        ]


def _factor(device: Answer) -> Factor:
    """One device; it is told from others of its type by its name, else by its number."""
    label = api.plain_line(device.get("device_type"), 60) or "unknown device"
    kind = next((kind for part, kind in _KINDS if part in label.lower()), "totp")
    named = api.plain_line(device.get("user_display_name") or device.get("device_name"), 40)
    number = api.plain_line(device.get("device_id"), 40)
    return Factor(kind, f"{label} {named or number}", device.get("device_id"), number)


def _flat(answer: Answer) -> Answer:
    """A reply of v2, or one of v1 brought into its form."""
    status, data = answer.get("status"), answer.get("data")
    if not isinstance(status, dict):
        return answer
    inner = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    flat = {**answer, **inner, "message": status.get("message")}
    return flat if isinstance(data, str) else {k: v for k, v in flat.items() if k != "data"}


def _message(answer: Answer) -> str:
    message = answer.get("message")
    message = api.at(message, "description") if isinstance(message, dict) else message
    return (
        api.plain_line(message or answer.get("error_description") or answer.get("name"))
        or "no word"
    )


def _is_pending(answer: Answer) -> bool:
    return "pending" in _message(answer).lower() and not answer.get("data")


def _response(answer: Answer) -> str:
    """The SAMLResponse of a success."""
    data = answer.get("data")
    if not isinstance(data, str) or not data:
        raise UnexpectedReply(
            f"OneLogin answers “{_message(answer)}” without an assertion",
            hint="`idp: browser` signs in through any state",
        )
    return data
