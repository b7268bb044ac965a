"""WebAuthn's JSON as pages write it: the options of a challenge, and a key's answer to them.

Source: W3C Web Authentication, 5.5 "Options for Assertion Generation"; bytes are base64url there,
and standard base64 with some providers.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from broker.errors import UnexpectedReply
from broker.ports.urls import without_query
from broker.ports.webauthn import KeyAnswer, KeyChallenge
from providers.saml import api

MOST_KEYS = 64
_VERIFICATIONS = {"required", "preferred", "discouraged"}


def challenge_of(page: str, options: Any, *, credentials: list[Any] | None = None) -> KeyChallenge:
    """What a page asks of a security key.

    Args:
        page: Its address.
        options: `PublicKeyCredentialRequestOptions` as JSON.
        credentials: The keys' ids, where the options do not hold them.

    Raises:
        UnexpectedReply: There is no challenge in it.
    """
    allowed = [key.get("id") for key in api.objects(api.at(options, "allowCredentials"))]
    key_ids = [unpacked(key_id) for key_id in (allowed or credentials or [])[:MOST_KEYS]]
    challenge = unpacked(api.at(options, "challenge"))
    if len(challenge) < 8:
        raise UnexpectedReply(
            f"{without_query(page)} asks for a security key without a challenge to sign",
            hint="`idp: browser` can sign in through any page",
        )
    wish = str(api.at(options, "userVerification") or "preferred")
    return KeyChallenge(
        page=page,
        challenge=challenge,
        rp_id=str(api.at(options, "rpId") or "").lower(),
        credentials=[key_id for key_id in key_ids if key_id],
        verification=wish if wish in _VERIFICATIONS else "preferred",
        seconds=api.seconds(api.at(options, "timeout"), 60000, least=0, most=600000) / 1000,
    )


def credential(answer: KeyAnswer) -> dict[str, Any]:
    """The answer as `PublicKeyCredential`'s JSON."""
    handle = answer.user_handle
    return {
        "id": packed(answer.credential),
        "rawId": packed(answer.credential),
        "type": "public-key",
        "response": {
            "clientDataJSON": packed(answer.client_data),
            "authenticatorData": packed(answer.authenticator_data),
            "signature": packed(answer.signature),
            "userHandle": packed(handle) if handle else None,
        },
    }


def packed(raw: bytes) -> str:
    """Bytes as base64url, without its end."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpacked(text: object) -> bytes:
    """The bytes of base64 of either alphabet; empty where it is none."""
    if isinstance(text, list):  # some write them as numbers, Java's with a sign
        return bytes(n & 255 for n in text if isinstance(n, int) and -129 < n < 256)
    plain = str(text or "").strip().rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
