"""What is remembered of a migration between its steps. Owns the files, not the steps; no secret."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from broker.errors import ConfigError
from broker.fingerprint import fingerprint
from broker.paths import data_dir, private_dir, read_or_none, write_private
from broker.ports.clock import from_text, to_text

Stage = Literal["switching", "switched", "deactivated", "deleted"]


@dataclass(frozen=True)
class Migration:
    """One profile on its way; times are UTC in text.

    Attributes:
        profile: Its name.
        source: The provider that holds its keys.
        to: The provider that signs in now.
        key_id: The key that is left behind.
        user: Its user's name at IAM.
        account_id: That user's account.
        region: The profile's.
        mfa_serial: The device that the keys go with, or None.
        file: The config file.
        before: The profile's lines before the change, for `--undo`; empty as `after` is, where
            somebody else has changed the config.
        after: The same after it.
        stage: What was done last.
        since: When the wait for the next step began.
        quiet_days: How long it lasts.
        key_last_used: The last use that AWS or this machine's log tells, or None.
        asked_at: When the key itself signed a question of ours last, or None.
        answered_at: The same, of the last one whose answer was taken into account.
        is_deactivating: Deactivation has begun: the key may be inactive.
        is_undoing: `--undo` has begun.
    """

    profile: str
    source: str
    to: str
    key_id: str
    user: str
    account_id: str
    region: str
    mfa_serial: str | None
    file: str
    before: str
    after: str
    stage: Stage
    since: str
    quiet_days: float
    key_last_used: str | None = None
    asked_at: str | None = None
    answered_at: str | None = None
    is_deactivating: bool = False
    is_undoing: bool = False

    @property
    def next_step_at(self) -> datetime:
        """From when on the next step may be taken, UTC."""
        return from_text(self.since) + timedelta(days=self.quiet_days)

    @property
    def next(self) -> str | None:
        """The next step, in words; None after the last one."""
        at = to_text(self.next_step_at)
        if self.is_undoing:
            return "finish going back"
        return {
            "switching": "write the change to the config",
            "switched": f"deactivate {self.key_id}, from {at} on",
            "deactivated": f"delete {self.key_id}, from {at} on",
            "deleted": None,
        }[self.stage]

    def to_json(self) -> dict[str, Any]:
        """As `migrate --status` shows it."""
        return {
            "profile": self.profile,
            "from": self.source,
            "to": self.to,
            "stage": self.stage,
            "since": self.since,
            "next": self.next,
            "key_last_used": self.key_last_used,
        }


class Migrations:
    """The migrations of one team's profiles.

    Args:
        environ: Says where the files lie.
        scope: Whose profiles these are: the team, or the config's place.
    """

    def __init__(self, environ: Mapping[str, str], scope: str) -> None:
        self._folder = data_dir(environ) / "migrations"
        self._scope = scope

    def of(self, profile: str) -> Migration | None:
        """The profile's migration, or None.

        Raises:
            ConfigError: Its file is damaged.
        """
        path = self._path(profile)
        content = read_or_none(path)
        if content is None:
            return None
        try:
            return Migration(**json.loads(content))
        except (ValueError, TypeError):
            raise ConfigError(
                "the record of a migration is damaged",
                file=str(path),
                hint="move it away; the keys of the profile are where they were",
            ) from None

    def save(self, migration: Migration) -> Migration:
        """Keep it."""
        write_private(self._path(migration.profile), json.dumps(asdict(migration)).encode())
        return migration

    def change(self, migration: Migration, **changes: Any) -> Migration:
        """Change it as it is kept: a question to IAM may have changed it meanwhile."""
        return self.save(replace(self.of(migration.profile) or migration, **changes))

    def forget(self, profile: str) -> None:
        """It is undone."""
        self._path(profile).unlink(missing_ok=True)

    @contextlib.contextmanager
    def alone(self, profile: str) -> Iterator[None]:
        """One command at a time takes a step of a profile."""
        private_dir(self._folder)
        with FileLock(f"{self._path(profile)}.lock", mode=0o600):
            yield

    def _path(self, profile: str) -> Path:
        name = fingerprint({"scope": self._scope, "profile": profile})
        return self._folder / f"{name}.json"
