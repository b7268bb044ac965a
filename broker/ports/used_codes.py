"""One-time codes that this machine has sent. Owns that none is sent twice, by whatever process.

AWS takes each code once, and a repeated one counts as a wrong one. A code is noted before it is
sent, so that a killed command's is not sent again. Six digits are soon guessed from a plain digest:
a note is a keyed hash, under a key that the keychain holds, else under one of this folder's own.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path

from broker.paths import private_dir, read_or_none, write_private
from broker.ports.clock import Clock

REMEMBERED_SECONDS = 600
"""A code is good for a minute or two, and may come up again by chance later."""
_KEY_CHARACTERS = 64


class UsedCodes:
    """The codes that were sent, by device.

    Args:
        folder: Where the notes lie; None keeps them in memory.
        clock: Time.
        key: The key of the notes; None from it where there is no keychain.
    """

    def __init__(
        self, folder: Path | None, clock: Clock, key: Callable[[], bytes | None] = lambda: None
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._key = key
        self._in_memory: dict[str, dict[str, float]] = {}

    def spend(self, device: str, code: str) -> bool:
        """Note that a code is about to be sent; False when it was sent before."""
        if self._folder is None:
            return self._add(self._in_memory.setdefault(device, {}), f"{device} {code}")
        from filelock import FileLock

        private_dir(self._folder)
        key = self._key() or self._own_key(self._folder)
        name, entry = _keyed(key, device), _keyed(key, f"{device} {code}")
        with FileLock(self._folder / f"{name}.lock", mode=0o600):
            path = self._folder / name
            used = _read(path)
            is_new = self._add(used, entry)
            if is_new:
                write_private(path, json.dumps(used).encode())
            return is_new

    def _add(self, used: dict[str, float], entry: str) -> bool:
        now = self._clock.now().timestamp()
        for old in [entry for entry, at in used.items() if abs(now - at) > REMEMBERED_SECONDS]:
            del used[old]
        if entry in used:
            return False
        used[entry] = now
        return True

    @staticmethod
    def _own_key(folder: Path) -> bytes:
        """A random key beside the notes, for machines without a keychain."""
        from filelock import FileLock

        path = folder / "key"
        with FileLock(folder / "key.lock", mode=0o600):
            key = read_or_none(path)
            if key is None or len(key) != _KEY_CHARACTERS:
                key = os.urandom(_KEY_CHARACTERS // 2).hex().encode()
                write_private(path, key)
        return key


def _read(path: Path) -> dict[str, float]:
    try:
        used = json.loads(read_or_none(path) or b"{}")
        return {str(entry): float(at) for entry, at in used.items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def _keyed(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()[:32]
