"""The encrypted file that stands in where the machine has no keychain.

One JSON file `vault` of mode 0600: the scrypt parameters and, under AES-256-GCM with the key that
scrypt makes of the passphrase, all entries. Written whole under a lock, so that two commands lose
nothing of each other; a vault that does not open is an error, never an empty vault. Its key stays
in the process that was given the passphrase: whoever held it could read every entry.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from filelock import FileLock

from broker.errors import KeychainError
from broker.paths import private_dir, read_or_none, write_private
from broker.secret import Secret

SCRYPT = {"n": 2**15, "r": 8, "p": 3}
"""Of a new vault. OWASP Password Storage Cheat Sheet, scrypt: 32 MiB, as strong as N=2^17, p=1."""
_MAX_MEMORY_BYTES = 2**30
_MAX_PASSES = 16
_NONCE_BYTES = 12
_SHORTEST_SEALED_BYTES = _NONCE_BYTES + 16 + len("{}")
_NAME = b"awslogin vault 1"
TRIES = 3


class Vault:
    """A keychain in a file.

    Args:
        path: The file.
        passphrase: Asks for the passphrase; told whether the vault is new, so that it asks twice,
            and which try it is. Raises `KeychainError` where none can be had.
    """

    def __init__(
        self,
        path: Path,
        passphrase: Callable[[bool, int], Secret],
    ) -> None:
        self._path = path
        self._passphrase = passphrase
        self._key: tuple[str, bytes] | None = None
        self._typed: Secret | None = None
        self._cost = SCRYPT

    present = True

    def get(self, name: str) -> Secret | None:
        """An entry, or None."""
        value = self._entries().get(name)
        return Secret(value) if value is not None else None

    def set(self, name: str, value: Secret) -> None:
        """Write an entry."""
        self._change(lambda entries: entries.update({name: value.reveal()}))

    def delete(self, name: str) -> None:
        """Remove an entry; a missing one is no error."""
        if read_or_none(self._path) is not None:
            self._change(lambda entries: entries.pop(name, None))

    def names(self) -> list[str]:
        """All entries' names."""
        return sorted(self._entries())

    def _change(self, change: Callable[[dict[str, str]], Any]) -> None:
        private_dir(self._path.parent)
        with FileLock(f"{self._path}.lock", mode=0o600):
            entries = self._entries()
            change(entries)
            self._strengthen()
            self._write(entries)

    def _strengthen(self) -> None:
        """A key that was made too cheaply gives way to one at today's cost, at the next write."""
        if self._typed and _strength(self._cost) < _strength(SCRYPT):
            self._cost, salt = SCRYPT, os.urandom(16)
            self._key = salt.hex(), _derive(self._typed, salt, SCRYPT)

    def _entries(self) -> dict[str, str]:
        content = read_or_none(self._path)
        if content is None:
            return {}
        return self._unseal(*_parsed(content, self._path))

    def _unseal(self, sealed: bytes, salt: bytes, cost: dict[str, int]) -> dict[str, str]:
        self._cost = cost
        for attempt in range(TRIES):
            if self._key is None or self._key[0] != salt.hex():
                self._typed = self._passphrase(False, attempt)
                self._key = salt.hex(), _derive(self._typed, salt, cost)
            try:
                nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
                plain = AESGCM(self._key[1]).decrypt(nonce, rest, _NAME)
            except InvalidTag:
                self._key = self._typed = None
                continue
            entries: dict[str, str] = json.loads(plain)
            return entries
        raise KeychainError(f"the passphrase does not open {self._path}")

    def _write(self, entries: dict[str, str]) -> None:
        if self._key is None:
            salt = os.urandom(16)
            self._typed = self._passphrase(True, 0)
            self._key = salt.hex(), _derive(self._typed, salt, self._cost)
        salt, key = bytes.fromhex(self._key[0]), self._key[1]
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, json.dumps(entries).encode(), _NAME)
        header = {
            "version": 1,
            **self._cost,
            "salt": base64.b64encode(salt).decode(),
            "sealed": base64.b64encode(sealed).decode(),
        }
        write_private(self._path, json.dumps(header).encode())


class LockedVault:
    """A vault whose passphrase nobody here can give: every use of it is a `KeychainError`.

    Args:
        path: The file.
        mend: How it is unlocked.
    """

    present = False

    def __init__(self, path: Path, *, mend: str) -> None:
        self._error = KeychainError(f"the awslogin vault {path} is locked", hint=mend)

    def get(self, name: str) -> Secret | None:
        """Refused."""
        del name
        raise self._error

    def set(self, name: str, value: Secret) -> None:
        """Refused."""
        del name, value
        raise self._error

    def delete(self, name: str) -> None:
        """Refused."""
        del name
        raise self._error


def _parsed(content: bytes, path: Path) -> tuple[bytes, bytes, dict[str, int]]:
    """What is sealed, the salt, and the parameters of scrypt.

    Raises:
        KeychainError: The file is damaged.
    """
    try:
        header = json.loads(content)
        sealed = base64.b64decode(header["sealed"], validate=True)
        salt = base64.b64decode(header["salt"], validate=True)
        cost = {name: int(header[name]) for name in SCRYPT}
        if len(sealed) < _SHORTEST_SEALED_BYTES:
            raise ValueError("nothing is sealed there")
        if cost["n"] * cost["r"] * 128 > _MAX_MEMORY_BYTES or cost["p"] > _MAX_PASSES:
            raise KeychainError(f"the vault {path} asks for absurd scrypt parameters")
        Scrypt(salt=salt, length=32, **cost)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise KeychainError(
            f"the vault {path} is damaged",
            hint="restore it from a backup, or move it away",
        ) from error
    return sealed, salt, cost


def _strength(cost: dict[str, int]) -> int:
    """What one guess costs, in scrypt's own unit."""
    return cost["n"] * cost["r"] * cost["p"]


def _derive(passphrase: Secret, salt: bytes, cost: dict[str, int]) -> bytes:
    return Scrypt(salt=salt, length=32, **cost).derive(
        passphrase.reveal().encode(errors="surrogateescape")
    )
