"""Which entries of ours the keychain holds: names and purposes, no secret.

Keychains cannot be searched through `keyring`, so this file tells what `uninstall` removes, and for
what else a secret is kept. It is noted before an entry is written: it may name one that is missing,
never the other way round.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from broker.paths import data_dir, private_dir, read_or_none, write_private
from broker.ports.entries import Purpose

_EMPTY: dict[str, Any] = {"entries": {}, "declined": []}


class EntryIndex:
    """The file `keychain-entries.json` of the data folder; none where nothing can be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> EntryIndex:
        """This person's."""
        return cls(data_dir(environ) / "keychain-entries.json")

    def names(self) -> list[str]:
        """The names of all entries that were written and not removed."""
        return sorted(self._read()["entries"])

    def others(self, purpose: Purpose) -> Iterator[Purpose]:
        """What else a secret of the same provider name and entry is kept for."""
        for facts in self._read()["entries"].values():
            other = Purpose(facts)
            alike = all(
                facts.get(name) == purpose.facts[name] for name in ("provider", "type", "entry")
            )
            if alike and other.name != purpose.name:
                yield other

    def add(self, purpose: Purpose) -> None:
        """Note an entry that is about to be written."""
        if self._read()["entries"].get(purpose.name) != purpose.facts:
            self._change(lambda held: held["entries"].update({purpose.name: purpose.facts}))

    def remove(self, purpose: Purpose) -> None:
        """Forget an entry that was removed."""
        if purpose.name in self._read()["entries"]:
            self._change(lambda held: held["entries"].pop(purpose.name, None))

    def has_declined(self, purpose: Purpose) -> bool:
        """Whether the person has said that an older version's entry is not for this."""
        return purpose.name in self._read()["declined"]

    def decline(self, purpose: Purpose) -> None:
        """Note that."""
        self._change(lambda held: held["declined"].append(purpose.name))

    def _change(self, change: Callable[[dict[str, Any]], object]) -> None:
        from filelock import FileLock

        with contextlib.suppress(OSError):
            private_dir(self._path.parent)
            with FileLock(f"{self._path}.lock", mode=0o600):
                held = self._read()
                change(held)
                write_private(self._path, json.dumps(held, indent=1).encode())

    def _read(self) -> dict[str, Any]:
        """What the file says; a damaged one says nothing."""
        try:
            held = json.loads(read_or_none(self._path) or b"")
            entries = {str(name): dict(facts) for name, facts in held["entries"].items()}
            complete = all(
                {"provider", "entry", "sites"} <= set(facts) for facts in entries.values()
            )
            declined = [str(name) for name in held["declined"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return json.loads(json.dumps(_EMPTY))  # type: ignore[no-any-return]
        return {"entries": entries if complete else {}, "declined": declined}
