"""Sealed files: short-lived secrets at rest, under a key that the keychain holds.

Owns the folder, the encryption and the key; not what the contents mean. AES-256-GCM with a random
nonce; the file's name is bound to its content, so that two sealed files cannot be exchanged.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from broker.paths import private_dir, read_or_none, write_private
from broker.ports.secrets import Keychain, Locked, Unlocked
from broker.secret import Secret

KEY_NAME = "sealing-key"
_SUFFIX = ".sealed"
_IN_LINE = 10.0
"""Seconds that a command waits for others to read the keychain before it reads it all the same."""


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
        self._keychain = keychain
        self._unlocked = unlocked or Locked()
        self._key: bytes | None = None
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
        key = self._sealing_key() if content else None
        if content is None or key is None:
            return None
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(key).decrypt(content[:12], content[12:], name.encode())
        except (InvalidTag, ValueError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Seal the content whole or not at all; where the disk refuses, memory keeps it."""
        key = self._sealing_key(make=True)
        if key is None:
            self._in_memory[name] = content
            return
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(12)
        sealed = nonce + AESGCM(key).encrypt(nonce, content, name.encode())
        try:
            write_private(self.path(name), sealed)
        except OSError as error:
            self.unwritable = error
            self._in_memory[name] = content

    def delete(self, name: str) -> None:
        """Drop it; a missing one is no error."""
        self._in_memory.pop(name, None)
        self.path(name).unlink(missing_ok=True)

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
        return self._key is not None

    def _sealing_key(self, *, make: bool = False) -> bytes | None:
        if self._key is None and self._keychain is not None:
            stored = self._unlocked.recall(KEY_NAME) or self._from(self._keychain, make=make)
            self._key = base64.b64decode(stored.reveal()) if stored else None
        return self._key

    def _from(self, keychain: Keychain, *, make: bool) -> Secret | None:
        """The keychain's key, read by one command at a time; of many that miss it one makes it."""
        private_dir(self._folder)
        lock = FileLock(self._folder / ".key.lock", mode=0o600)
        try:
            lock.acquire(timeout=-1 if make else _IN_LINE)
        except Timeout:
            return keychain.get(KEY_NAME)
        try:
            return self._unlocked.recall(KEY_NAME) or self._read(keychain, make=make)
        finally:
            lock.release()

    def _read(self, keychain: Keychain, *, make: bool) -> Secret | None:
        stored = keychain.get(KEY_NAME) if keychain.present else None
        if stored is None and make and keychain.present:
            stored = Secret(base64.b64encode(os.urandom(32)).decode())
            keychain.set(KEY_NAME, stored)
        if stored:
            self._unlocked.keep(KEY_NAME, stored)
        return stored
