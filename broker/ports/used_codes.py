"""One-time codes that this machine has sent. Owns that none is sent twice, by whatever process.

AWS takes each code once, and a repeated one counts as a wrong one. A code is noted before it is
sent; what is noted is a digest of something worthless, under the device's hashed name.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from filelock import FileLock

from broker.paths import private_dir, read_or_none, write_private
from broker.ports.clock import Clock

KEPT = 600
"""Seconds; a code is good for a minute or two, and may come up again by chance later."""


class SpentCodes:
    """The codes that were sent, by device; in memory where there is no folder."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._in_memory: dict[str, dict[str, float]] = {}

    def spend(self, device: str, code: str) -> bool:
        """Note that a code is about to be sent; False when it was sent before."""
        name = _digest(device)
        if self._folder is None:
            return self._add(self._in_memory.setdefault(name, {}), device, code)
        private_dir(self._folder)
        with FileLock(self._folder / f"{name}.lock", mode=0o600):
            path = self._folder / name
            spent = _read(path)
            fresh = self._add(spent, device, code)
            if fresh:
                write_private(path, json.dumps(spent).encode())
            return fresh

    def _add(self, spent: dict[str, float], device: str, code: str) -> bool:
        now = self._clock.now().timestamp()
        for old in [entry for entry, at in spent.items() if abs(now - at) > KEPT]:
            del spent[old]
        entry = _digest(f"{device} {code}")
        if entry in spent:
            return False
        spent[entry] = now
        return True


def _read(path: Path) -> dict[str, float]:
    try:
        spent = json.loads(read_or_none(path) or b"{}")
        return {str(entry): float(at) for entry, at in spent.items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
