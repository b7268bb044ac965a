"""The sessions' sealing key in the agent's memory, and how often it may be guessed who may have it.

The vault's own key, behind which long-lived secrets lie, is never held here: whatever is, any
process of the same user can ask for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

SEALING_KEY = b"sealing-key"
LENT = SEALING_KEY + b"/lent/"
"""What a borrowed key's name begins with; the rest is the token."""
MAX_GUESSES = 10
GUESS_SECONDS = 60.0
"""So many wrong guesses are answered in that time: trying a passphrase at the vault is faster."""


class Guesses:
    """Counts wrong guesses of a secret, and says when they are too many.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: list[float] = []

    def note_wrong(self) -> None:
        """A guess was wrong."""
        self._wrong = [*self._wrong[-MAX_GUESSES:], self._clock()]

    def too_many(self) -> bool:
        """Whether nothing that depends on a secret is answered for now."""
        since = self._clock() - GUESS_SECONDS
        return sum(at > since for at in self._wrong) >= MAX_GUESSES


class UnlockedKeys:
    """Sealing keys, each by the name that tells which keychain and which passphrase it is of."""

    def __init__(self, guesses: Guesses) -> None:
        self._guesses = guesses
        self._by_name: dict[bytes, bytearray] = {}
        self._lent: dict[bytes, bytes] = {}

    def keep(self, name: bytes, value: bytes) -> None:
        """Hold a sealing key; anything else is not held."""
        if name.startswith(SEALING_KEY + b"/") and not name.startswith(LENT):
            self._by_name[name] = bytearray(value)

    def recall(self, name: bytes) -> bytes:
        """A key; empty where there is none, and while wrong names were asked for too often."""
        if name.startswith(LENT):
            name = self._lent.get(_digest(name.removeprefix(LENT)), name)
        if self._guesses.too_many():
            return b""
        if name not in self._by_name and self._by_name:
            self._guesses.note_wrong()
        return bytes(self._by_name.get(name, b""))

    def lend(self, name: bytes) -> bytes:
        """A token by which a child that knows no passphrase has the key; empty where there is none.

        It is good until the next `wipe`.
        """
        if name not in self._by_name:
            return b""
        token = os.urandom(32).hex().encode()
        self._lent[_digest(token)] = name
        return token

    def wipe(self) -> None:
        """Drop all."""
        for key in self._by_name.values():
            key[:] = bytes(len(key))
        self._by_name.clear()
        self._lent.clear()


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
