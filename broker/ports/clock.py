"""Time. Owns now, sleep and the way times are written; tests put a clock of their own here."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from broker.time_left import local_text


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; Ctrl-C ends it at once."""
        time.sleep(seconds)


def to_text(moment: datetime) -> str:
    """`2026-01-01T00:00:00Z`: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_local_text(moment: datetime, *, seconds: bool = False) -> str:
    """`2026-01-01 01:00 CET`: for people, the machine's own time with its zone."""
    return local_text(moment.timestamp(), seconds=seconds)


def from_text(text: str) -> datetime:
    """The inverse of `to_text`; accepts every ISO 8601 form with an offset.

    Raises:
        ValueError: Not a time, or one without an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return moment.astimezone(UTC)
