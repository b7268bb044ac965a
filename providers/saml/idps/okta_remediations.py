"""What Okta Identity Engine's sign-in page answers: its remediations, authenticators and messages.

Source: okta/okta-signin-widget, `playground/mocks/data/idp/idx`; okta/okta-auth-js, `lib/idx`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from providers.saml import api
from providers.saml.api import Answer
from providers.saml.factors import Factor

PASSWORD = "password"  # noqa: S105
_METHODS = {
    "push": "push",
    "totp": "totp",
    "otp": "totp",
    "sms": "sms",
    "voice": "call",
    "email": "email",
    "password": PASSWORD,
    "webauthn": "webauthn",
    "security_question": "question",
    "signed_nonce": "unknown",
    "idp": "duo",
    "duo": "duo",
}
_KEYS = {
    "okta_password": PASSWORD,
    "webauthn": "webauthn",
    "okta_email": "email",
    "phone_number": "sms",
    "security_question": "question",
    "google_otp": "totp",
    "okta_verify": "push",
    "duo": "duo",
    "onprem_mfa": "token",
    "rsa_token": "token",
    "symantec_vip": "token",
    "yubikey_token": "token",
    "custom_otp": "token",
    "tac": "token",
}
_NAMES = {"signed_nonce": "FastPass", "push": "push", "totp": "code", "sms": "SMS", "voice": "call"}


def remediation(answer: Answer, name: str) -> Answer | None:
    """The way on of this name, if it is offered."""
    return next((way for way in _ways(answer) if way.get("name") == name), None)


def names(answer: Answer) -> list[str]:
    """The names of all ways on."""
    return [api.plain_line(way.get("name"), 60) for way in _ways(answer)]


def _ways(answer: Answer) -> list[Answer]:
    return api.objects(api.at(answer, "remediation", "value"))


def message_of(answer: Answer) -> str:
    """What Okta says to the person: of the whole answer, else beside a field; empty if nothing."""
    found = _messages(answer) or [
        text for way in _ways(answer) for text in _of_fields(way.get("value"), 4)
    ]
    return " ".join(dict.fromkeys(found))


def _messages(value: Any) -> list[str]:
    texts = (
        api.plain_line(message.get("message"))
        for message in api.objects(api.at(value, "messages", "value"))
    )
    return [text for text in texts if text]


def _of_fields(fields: Any, depth: int) -> Iterator[str]:
    for field in api.objects(fields) if depth else []:
        yield from _messages(field)
        yield from _of_fields(api.at(field, "form", "value"), depth - 1)


def current(answer: Answer) -> Answer:
    """The authenticator that is asked now."""
    for name in ("currentAuthenticator", "currentAuthenticatorEnrollment"):
        found = api.at(answer, name, "value")
        if isinstance(found, dict):
            return found
    return {}


def kind_of_current(answer: Answer) -> str:
    """Its kind, as `mfa:` names it; `password` for the password."""
    now = current(answer)
    methods = [str(method.get("type")) for method in api.objects(now.get("methods"))]
    if len(methods) == 1 and methods[0] in _METHODS:
        return _METHODS[methods[0]]
    return _KEYS.get(str(now.get("key")), PASSWORD if now.get("type") == PASSWORD else "unknown")


def label_of_current(answer: Answer) -> str:
    """What Okta calls it."""
    return api.plain_line(current(answer).get("displayName"), 60)


def credential_ids(answer: Answer) -> list[str]:
    """The ids of the person's security keys."""
    enrolled = api.objects(api.at(answer, "authenticatorEnrollments", "value"))
    ids = [authenticator.get("credentialId") for authenticator in [current(answer), *enrolled]]
    return [str(credential_id) for credential_id in ids if credential_id]


def asks_for(way: Answer, name: str) -> bool:
    """Whether a way on has a field of this name."""
    return any(field.get("name") == name for field in api.objects(way.get("value")))


def choices(answer: Answer, way: Answer) -> list[Factor]:
    """The authenticators that a way offers; each one's handle is what chooses it."""
    offered = next(
        (field for field in api.objects(way.get("value")) if field.get("name") == "authenticator"),
        {},
    )
    options = api.objects(offered.get("options")) or [{"value": {"form": offered.get("form")}}]
    return [factor for option in options for factor in _factors(answer, option)]


def _factors(answer: Answer, option: Answer) -> Iterator[Factor]:
    fields = api.objects(api.at(option, "value", "form", "value"))
    fixed = {
        str(field["name"]): field["value"]
        for field in fields
        if field.get("name") and "value" in field
    }
    ways = [
        str(method.get("value"))
        for field in fields
        if field.get("name") == "methodType"
        for method in api.objects(field.get("options"))
    ]
    about = _related(answer, str(option.get("relatesTo") or "")) or current(answer)
    key = str(about.get("key") or "")
    label = api.plain_line(option.get("label") or about.get("displayName"), 60) or "authenticator"
    details = (api.at(about, "profile", name) for name in ("phoneNumber", "email", "deviceName"))
    whose = api.plain_line(next(filter(None, details), ""), 60)
    for method in ways or [str(fixed.get("methodType") or "")]:
        kind = _METHODS.get(method) or _KEYS.get(key, "unknown")
        how = f"({_NAMES.get(method, method)})" if len(ways) > 1 else ""
        name = " ".join(filter(None, (label, how, whose)))
        chosen = {**fixed, **({"methodType": method} if method else {})}
        yield Factor(kind, name, chosen, api.plain_line(fixed.get("id"), 60))


def _related(answer: Answer, path: str) -> Answer:
    """What `$.authenticatorEnrollments.value[2]` points to."""
    match = re.fullmatch(r"\$\.(\w+)\.value\[(\d{1,3})\]", path)
    listed = api.objects(api.at(answer, match[1], "value")) if match else []
    return listed[int(match[2])] if match and int(match[2]) < len(listed) else {}
