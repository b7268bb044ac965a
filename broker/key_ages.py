"""Since when each profile's keys exist, for `list`: no secret, so no keychain and no network.

One small file per profile in the data folder. `exact` tells when AWS made the keys; else it is when
they were added here, and they are at least that old.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from broker.fingerprint import fingerprint
from broker.paths import read_or_none, write_private
from broker.ports.clock import from_text, to_text


@dataclass(frozen=True)
class KeyAge:
    """Since when (UTC), and whether that is AWS's own word."""

    since: datetime
    exact: bool


class KeyAges:
    """The ages of one team's keys.

    Args:
        folder: Where the files lie.
        team: Keys of two teams never mix.
    """

    def __init__(self, folder: Path, team: str) -> None:
        self._folder = folder
        self._team = team

    def note(self, provider: str, profile: str, age: KeyAge) -> None:
        """Keep it."""
        document = {"profile": profile, "since": to_text(age.since), "exact": age.exact}
        write_private(self._path(provider, profile), json.dumps(document).encode())

    def of(self, provider: str, profile: str) -> KeyAge | None:
        """What was noted, or None."""
        content = read_or_none(self._path(provider, profile))
        try:
            document = json.loads(content or b"")
            return KeyAge(from_text(document["since"]), bool(document["exact"]))
        except (ValueError, KeyError, TypeError):
            return None

    def forget(self, provider: str, profile: str) -> None:
        """Drop it."""
        self._path(provider, profile).unlink(missing_ok=True)

    def _path(self, provider: str, profile: str) -> Path:
        name = fingerprint({"team": self._team, "provider": provider, "profile": profile})
        return self._folder / f"{name}.json"
