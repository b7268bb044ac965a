"""The environment, and which of its variables were looked at. Owns that record alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping


class RecordingEnviron(Mapping[str, str]):
    """An environment that remembers the names it was asked for, set or not."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self._asked.add(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    def apart(self) -> RecordingEnviron:
        """The same environment, with a record of its own: nothing is noted here."""
        base = self._environ
        return base.apart() if isinstance(base, RecordingEnviron) else RecordingEnviron(base)

    def seen(self, also: Iterable[str] = ()) -> dict[str, str | None]:
        """What was looked at so far, and these, with the values; None for what is not set."""
        return {name: self._environ.get(name) for name in sorted({*self._asked, *also})}


def compared(values: Mapping[str, str | None]) -> dict[bytes, bytes]:
    """Variables as they are told to the agent and hashed: `+value`, or `-` where it is not set."""
    return {
        os.fsencode(name): b"-" if value is None else b"+" + os.fsencode(value)
        for name, value in values.items()
    }
