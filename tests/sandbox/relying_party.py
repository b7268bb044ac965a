"""What a site checks of a security key's answer, strictly, and the people's keys that it knows.

Source: W3C Web Authentication, 7.2 "Verifying an Authentication Assertion".
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED = 0x01, 0x04


@dataclass
class Registered:
    """One key of a person."""

    id: bytes
    public_key: ec.EllipticCurvePublicKey
    counter: int = 0


@dataclass
class RelyingParty:
    """One site.

    Knobs: `origin` and `rp_id` (what it expects), `verification` (`required` demands the PIN).
    """

    origin: str = ""
    rp_id: str = ""
    verification: str = "preferred"
    keys: dict[str, list[Registered]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    _challenges: dict[str, str] = field(default_factory=dict)

    def register(self, person: str, key_id: bytes, public_key: ec.EllipticCurvePublicKey) -> None:
        """Know a person's key."""
        self.keys.setdefault(person, []).append(Registered(key_id, public_key))

    def challenge(self, person: str) -> str:
        """A challenge that is good once, base64url."""
        made = secrets.token_urlsafe(24)
        self._challenges[made] = person
        return made

    def expect(self, challenge: str, person: str) -> None:
        """Take a challenge that was made elsewhere, base64url, for a person; once."""
        self._challenges[challenge] = person

    def why_not(
        self, person: str, key_id: bytes | None, client: bytes, data: bytes, signature: bytes
    ) -> str:
        """What is wrong with an answer; empty if nothing. A refusal is noted."""
        why = self._fault(person, key_id, client, data, signature)
        if why:
            self.refusals.append(why)
        return why

    def _fault(
        self, person: str, key_id: bytes | None, client: bytes, data: bytes, signature: bytes
    ) -> str:
        said = json.loads(client)
        if said.get("type") != "webauthn.get":
            return "another type"
        if self._challenges.pop(str(said.get("challenge")), None) != person:
            return "another challenge, or one that was used"
        if said.get("origin") != self.origin:
            return f"another origin: {said.get('origin')}"
        if len(data) < 37 or data[:32] != hashlib.sha256(self.rp_id.encode()).digest():
            return "another rp id"
        flags, counter = struct.unpack(">BI", data[32:37])
        if not flags & PRESENT:
            return "nobody touched it"
        if self.verification == "required" and not flags & VERIFIED:
            return "nobody was verified"
        known = [one for one in self.keys.get(person, []) if key_id in {None, one.id}]
        for one in known:
            try:
                signed = data + hashlib.sha256(client).digest()
                one.public_key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
            except InvalidSignature:
                continue
            if counter <= one.counter:
                return "a counter that did not grow"
            one.counter = counter
            return ""
        return "no key's signature"


def unpadded(text: str) -> bytes:
    """The bytes of base64, of either alphabet, with or without its end."""
    plain = text.replace("+", "-").replace("/", "_").rstrip("=")
    return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))


def encoded(raw: bytes) -> str:
    """Base64url without its end, as WebAuthn's JSON writes bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
