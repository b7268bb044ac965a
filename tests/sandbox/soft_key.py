"""A FIDO2 security key in software, as CTAP 2.1 has it: get info, PIN by protocol two, assertions.

Talks CBOR to `fido2`'s client as a key on USB does; its cryptography is its own.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fido2 import cbor
from fido2.ctap import STATUS, CtapDevice, CtapError
from fido2.hid import CAPABILITY, CTAPHID

ERR = CtapError.ERR
RETRIES = 8


class SoftKey(CtapDevice):
    """One key that is plugged in.

    Knobs: `pin`, `touches` (whether the person does), `after_touch` (called when it is touched),
    `breaks` (what it fails with).
    """

    def __init__(self, name: str = "Soft Key", pin: str | None = None) -> None:
        self.product_name = name
        self.pin = pin
        self.touches = True
        self.breaks: Exception | None = None
        self.after_touch: Callable[[], None] = lambda: None
        self.asked_for: list[str] = []
        self.retries = RETRIES
        self.closed = 0
        self.counter = 7
        self._wrong_in_a_row = 0
        self._credentials: dict[bytes, tuple[str, ec.EllipticCurvePrivateKey]] = {}
        self._agreement = ec.generate_private_key(ec.SECP256R1())
        self._token = secrets.token_bytes(32)
        self._permitted_for = ""

    def register(self, rp_id: str) -> tuple[bytes, ec.EllipticCurvePublicKey]:
        """Make a credential for a site."""
        made = ec.generate_private_key(ec.SECP256R1())
        credential = secrets.token_bytes(32)
        self._credentials[credential] = (rp_id, made)
        return credential, made.public_key()

    def hold(self, rp_id: str, credential: bytes, private_key: ec.EllipticCurvePrivateKey) -> None:
        """Hold a credential that was made elsewhere."""
        self._credentials[credential] = (rp_id, private_key)

    @property
    def capabilities(self) -> int:
        return int(CAPABILITY.CBOR)

    @classmethod
    def list_devices(cls) -> Iterator[CtapDevice]:
        return iter(())

    def close(self) -> None:
        self.closed += 1

    def call(
        self,
        cmd: int,
        data: bytes = b"",
        event: Event | None = None,
        on_keepalive: Callable[[STATUS], None] | None = None,
    ) -> bytes:
        if self.breaks:
            raise self.breaks
        assert cmd == CTAPHID.CBOR
        command, given = data[0], cbor.decode(data[1:]) if data[1:] else {}
        routes = {0x02: self._assert, 0x04: self._info, 0x06: self._client_pin}
        if command not in routes:
            return bytes([ERR.INVALID_COMMAND])
        try:
            reply = routes[command](given, event or Event(), on_keepalive)
        except CtapError as error:
            return bytes([int(error.code)])
        return b"\0" + cbor.encode(reply)

    def _info(self, *_: Any) -> dict[int, Any]:
        options = {"rk": True, "up": True, "clientPin": self.pin is not None}
        return {
            1: ["FIDO_2_0", "FIDO_2_1"],
            3: bytes(16),
            4: options | {"pinUvAuthToken": True},
            5: 1200,
            6: [2],
        }

    # PIN

    def _client_pin(self, given: Any, *_: Any) -> dict[int, Any]:
        if given[2] == 0x01:
            return {3: self.retries}
        if given[2] == 0x02:
            point = self._agreement.public_key().public_numbers()
            x, y = point.x.to_bytes(32), point.y.to_bytes(32)
            return {1: {1: 2, 3: -25, -1: 1, -2: x, -3: y}}
        if given[2] != 0x09 or given[1] != 2:
            raise CtapError(ERR.INVALID_PARAMETER)
        return {2: self._pin_token(given)}

    def _pin_token(self, given: Any) -> bytes:
        if self.retries == 0:
            raise CtapError(ERR.PIN_BLOCKED)
        if self._wrong_in_a_row >= 3:
            raise CtapError(ERR.PIN_AUTH_BLOCKED)
        secret = self._shared(given[3])
        wanted = hashlib.sha256(str(self.pin).encode()).digest()[:16]
        if not hmac.compare_digest(_decrypted(secret[32:], given[6]), wanted):
            self.retries -= 1
            self._wrong_in_a_row += 1
            self._agreement = ec.generate_private_key(ec.SECP256R1())
            blocked = self._wrong_in_a_row >= 3
            raise CtapError(ERR.PIN_AUTH_BLOCKED if blocked else ERR.PIN_INVALID)
        self.retries, self._wrong_in_a_row = RETRIES, 0
        self._permitted_for = given.get(10, "")
        self._token = secrets.token_bytes(32)
        return _encrypted(secret[32:], self._token)

    def _shared(self, cose: Any) -> bytes:
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(cose[-2]), int.from_bytes(cose[-3]), ec.SECP256R1()
        )
        z = self._agreement.exchange(ec.ECDH(), numbers.public_key())
        return b"".join(
            HKDF(hashes.SHA256(), 32, bytes(32), info).derive(z)
            for info in (b"CTAP2 HMAC key", b"CTAP2 AES key")
        )

    # Assertions

    def _assert(
        self, given: Any, event: Event, keepalive: Callable[[STATUS], None] | None
    ) -> dict[int, Any]:
        rp_id, client_hash = given[1], given[2]
        wants_touch = given.get(5, {}).get("up", True)
        verified = False
        if 6 in given:
            right = hmac.new(self._token, client_hash, "sha256").digest()
            if not hmac.compare_digest(right, given[6]) or self._permitted_for != rp_id:
                raise CtapError(ERR.PIN_AUTH_INVALID)
            verified = True
        allowed = [one["id"] for one in given.get(3) or []] or list(self._credentials)
        usable = [one for one in allowed if self._credentials.get(one, ("",))[0] == rp_id]
        if wants_touch:
            self.asked_for.append(rp_id)
            if keepalive:
                keepalive(STATUS.UPNEEDED)
            if not self.touches:
                raise CtapError(ERR.USER_ACTION_TIMEOUT)
            self.after_touch()
        if not usable:
            raise CtapError(ERR.NO_CREDENTIALS)
        self.counter += 1
        flags = (1 if wants_touch else 0) | (4 if verified else 0)
        data = hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, self.counter)
        signature = self._credentials[usable[0]][1].sign(
            data + client_hash, ec.ECDSA(hashes.SHA256())
        )
        return {1: {"type": "public-key", "id": usable[0]}, 2: data, 3: signature}


def _decrypted(key: bytes, text: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(text[:16])).decryptor()
    return decryptor.update(text[16:]) + decryptor.finalize()


def _encrypted(key: bytes, text: bytes) -> bytes:
    start = os.urandom(16)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return start + encryptor.update(text) + encryptor.finalize()
