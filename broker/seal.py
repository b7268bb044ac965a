"""Sealed files: short-lived secrets at rest, under a key that the keychain holds.

Owns the folder and the encryption; not the key (`broker.sealing_key`) nor what the contents mean.
AES-256-GCM with a random nonce. The file's name and the time of sealing are bound to its content,
so that two sealed files cannot be exchanged, and one that was removed cannot be put back.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from broker.errors import KeychainError
from broker.paths import read_or_none, state_dir, write_private
from broker.ports.keychain import pinned
from broker.ports.secrets import Keychain, Unlocked
from broker.sealing_key import SealingKey

_SUFFIX = ".sealed"
_MARK = b"awslogin-sealed-2\n"
"""How a file begins that says when it was sealed; those of older versions begin with the nonce."""
_TIME_BYTES = 8
_NONCE_BYTES = 12


class SealedFiles:
    """A folder of sealed files; without a keychain, this process's memory.

    Args:
        folder: Where they lie.
        keychain: Holds the key; None where sessions stay in memory.
        unlocked: Where another command may have left the key already.

    Attributes:
        unwritable: Why something could not be written, if so.
    """

    def __init__(
        self, folder: Path, keychain: Keychain | None, unlocked: Unlocked | None = None
    ) -> None:
        self._folder = folder
        self._key = SealingKey(folder, keychain, unlocked)
        self._in_memory: dict[str, bytes] = {}
        self.unwritable: OSError | None = None

    def read(self, name: str) -> bytes | None:
        """The content, or None where there is none or it cannot be unsealed.

        Raises:
            KeychainError: There is a file, but the keychain is locked or silent.
        """
        if name in self._in_memory:
            return self._in_memory[name]
        content = read_or_none(self.path(name))
        key = self._key.get() if content else None
        if content is None or key is None:
            return None
        sealed_at, nonce, sealed = _taken_apart(content)
        if self._key.was_removed(name, sealed_at):
            return None
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(key).decrypt(nonce, sealed, _bound(name, sealed_at))
        except (InvalidTag, ValueError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Seal the content whole or not at all; where the disk refuses, memory keeps it."""
        key = self._key.get(make=True)
        if key is None:
            self._in_memory[name] = content
            return
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        now = max(time.time_ns() // 1_000_000, self._key.removed_at(name) + 1)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, content, _bound(name, now))
        try:
            write_private(
                self.path(name), _MARK + now.to_bytes(_TIME_BYTES, "big") + nonce + sealed
            )
        except OSError as error:
            self.unwritable = error
            self._in_memory[name] = content

    def delete(self, name: str) -> None:
        """Drop it; a missing one is no error."""
        self._in_memory.pop(name, None)
        self.path(name).unlink(missing_ok=True)

    def prepare(self) -> None:
        """Have the key, or make it, before there is anything to seal.

        A person may be asked for it (a passphrase, an unlock dialog): before a sign-in, not after
        it, so that an interrupted question loses no session.
        """
        self._key.get(make=True)

    def remove(self, names: Sequence[str]) -> None:
        """Drop them for good: put back as they are now, they are not read any more.

        The keychain notes it; where that is locked or silent they are gone all the same.
        """
        for name in names:
            self.delete(name)
        if names:
            with contextlib.suppress(KeychainError):
                self._key.note_removed(names, time.time_ns() // 1_000_000)

    def remove_all(self) -> None:
        """Drop everything; under the new key nothing that was sealed before is read any more."""
        for name in list(self.names()):
            self.delete(name)
        with contextlib.suppress(KeychainError):
            self._key.renew()

    def names(self, prefix: str = "") -> Iterator[str]:
        """The names that are kept."""
        yield from (name for name in self._in_memory if name.startswith(prefix))
        if self._folder.is_dir():
            for path in sorted(self._folder.glob(f"{prefix}*{_SUFFIX}")):
                yield path.name.removesuffix(_SUFFIX)

    def path(self, name: str) -> Path:
        """Where it lies, or would lie."""
        return self._folder / f"{name}{_SUFFIX}"

    @property
    def outlive_this_process(self) -> bool:
        """Whether what was written is found by later commands."""
        return self._key.is_known

    def keyed_hash_key(self) -> bytes | None:
        """A key for hashes of what might be guessed; None without a keychain."""
        key = self._key.get(make=True)
        return hmac.digest(key, b"awslogin keyed hash", "sha256") if key else None


def sealed_here(
    environ: Mapping[str, str], keychain: Keychain, unlocked: Unlocked | None = None
) -> SealedFiles:
    """This person's sealed files; a CI job keeps nothing, unless it names a keychain."""
    in_ci = environ.get("CI", "").lower() == "true"
    keeps = not in_ci or pinned(environ)
    return SealedFiles(state_dir(environ) / "sealed", keychain if keeps else None, unlocked)


def _taken_apart(content: bytes) -> tuple[int | None, bytes, bytes]:
    """When it was sealed (ms since 1970; None: by an older version), the nonce, what is sealed."""
    sealed_at = None
    if content.startswith(_MARK):
        rest = content[len(_MARK) :]
        sealed_at, content = int.from_bytes(rest[:_TIME_BYTES], "big"), rest[_TIME_BYTES:]
    return sealed_at, content[:_NONCE_BYTES], content[_NONCE_BYTES:]


def _bound(name: str, sealed_at: int | None) -> bytes:
    """What the encryption binds the content to."""
    return name.encode() if sealed_at is None else f"{name} {sealed_at}".encode()
