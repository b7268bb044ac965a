"""The key that seals files at rest, as the keychain holds it. Owns its entry, not what it seals.

The entry is the key in base64, and after it, where files were removed by `logout` or `remove`,
which and when: whoever puts such a file back finds that it is not read any more.

    q83vEjRWeJASNFZ4kBI0VniQEjRWeJASNFZ4kBI0Vng= {"5f3a91c2":1767225600000}
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from broker.errors import NotKept
from broker.file_lock import locked
from broker.paths import private_dir
from broker.ports.entries import MAX_ENTRY_CHARACTERS
from broker.ports.secrets import Keychain, Locked, Unlocked
from broker.secret import Secret

KEY_NAME = "sealing-key"
_KEY_BYTES = 32
_IN_LINE = 10.0
"""Seconds that a command waits for others to read the keychain before it reads it all the same."""


class SealingKey:
    """The key, read from the keychain or from the agent when it is needed first.

    Args:
        folder: Where the lock lies.
        keychain: Holds the key; None where nothing is kept.
        unlocked: Where another command may have left the key already.
    """

    def __init__(
        self, folder: Path, keychain: Keychain | None, unlocked: Unlocked | None = None
    ) -> None:
        self._folder = folder
        self._keychain = keychain
        self._unlocked = unlocked or Locked()
        self._key: bytes | None = None
        self._removed: dict[str, int] = {}

    @property
    def is_known(self) -> bool:
        """Whether there is one in this process."""
        return self._key is not None

    def get(self, *, make: bool = False) -> bytes | None:
        """The key; None where there is none, unless it is to be made, and without a keychain.

        Raises:
            KeychainError: The keychain is locked or silent.
        """
        if self._key is None and self._keychain is not None:
            stored = self._unlocked.recall(KEY_NAME) or self._from(self._keychain, make=make)
            if stored:
                self._take(stored)
        return self._key

    def was_removed(self, name: str, sealed_at: int | None) -> bool:
        """Whether a file that was sealed then (ms since 1970) has been removed since."""
        return _digest(name) in self._removed and (sealed_at or 0) <= self.removed_at(name)

    def removed_at(self, name: str) -> int:
        """When a file of this name was removed last, as far as is noted: ms since 1970, or 0."""
        return self._removed.get(_digest(name), 0)

    def note_removed(self, names: Sequence[str], at: int) -> None:
        """Write into the entry that these files are gone; the oldest notes leave when it is full.

        Raises:
            KeychainError: The keychain is locked or silent.
        """
        keychain = self._keychain
        if keychain is None or not keychain.present:
            return
        with self._lock():
            stored = keychain.get(KEY_NAME)
            if stored is None:
                return
            self._take(stored)
            self._removed |= {_digest(name): at for name in names}
            self._store(keychain)

    def renew(self) -> None:
        """A new key in place of the old one, if there is one: what was sealed is not read any more.

        Raises:
            KeychainError: The keychain is locked or silent.
        """
        keychain = self._keychain
        if keychain is None or not keychain.present:
            return
        with self._lock():
            if keychain.get(KEY_NAME) is None:
                return
            self._key, self._removed = os.urandom(_KEY_BYTES), {}
            self._store(keychain)

    def _from(self, keychain: Keychain, *, make: bool) -> Secret | None:
        """The keychain's key, read by one command at a time; of many that miss it one makes it."""
        with ExitStack() as held:
            try:
                held.enter_context(self._lock(math.inf if make else _IN_LINE))
            except OSError:  # others are at it for long, or the folder is read-only
                return keychain.get(KEY_NAME) if keychain.present else None
            return self._unlocked.recall(KEY_NAME) or self._read(keychain, make=make)

    def _read(self, keychain: Keychain, *, make: bool) -> Secret | None:
        stored = keychain.get(KEY_NAME) if keychain.present else None
        if stored is None and make and keychain.present:
            stored = Secret(base64.b64encode(os.urandom(_KEY_BYTES)).decode())
            try:
                keychain.set(KEY_NAME, stored)
            except NotKept:
                self._keychain = None
                return None
        if stored:
            self._unlocked.keep(KEY_NAME, stored)
        return stored

    def _take(self, stored: Secret) -> None:
        """Read an entry; a note that cannot be read counts as none."""
        key, _, notes = stored.reveal().partition(" ")
        self._key = base64.b64decode(key)
        try:
            self._removed = {str(name): int(at) for name, at in json.loads(notes or "{}").items()}
        except (ValueError, AttributeError, TypeError):
            self._removed = {}

    def _store(self, keychain: Keychain) -> None:
        assert self._key
        key = base64.b64encode(self._key).decode()
        newest = sorted(self._removed.items(), key=lambda note: note[1], reverse=True)
        text = key
        while newest:
            text = f"{key} {json.dumps(dict(newest), separators=(',', ':'))}"
            if len(text) <= MAX_ENTRY_CHARACTERS:
                break
            newest.pop()
            text = key
        stored = Secret(text)
        keychain.set(KEY_NAME, stored)
        self._unlocked.keep(KEY_NAME, stored)

    def _lock(self, seconds: float = math.inf) -> AbstractContextManager[None]:
        private_dir(self._folder)
        return locked(self._folder / ".key.lock", seconds)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]
