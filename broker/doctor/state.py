"""Our own folders: whose they are, and who may read and write them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from broker.doctor.finding import Finding, Machine
from broker.paths import config_dir, data_dir, state_dir


def folders(machine: Machine) -> Iterator[Finding]:
    """State, data and config: ours, and nobody else's to write."""
    seen: set[Path] = set()
    wrong = False
    for folder in (state_dir(machine.environ), data_dir(machine.environ)):
        if folder in seen or not folder.is_dir() or os.name != "posix":
            continue
        seen.add(folder)
        for finding in _trouble(folder, 0o077):
            wrong = True
            yield finding
    own = config_dir(machine.environ)
    for path in (own / "config.yaml", own / "settings.yaml"):
        if path.is_file() and os.name == "posix":
            for finding in _trouble(path, 0o022):
                wrong = True
                yield finding
    if not wrong:
        yield Finding("state", "ok", f"{state_dir(machine.environ)} is yours alone")


def _trouble(path: Path, forbidden: int) -> Iterator[Finding]:
    about = path.stat()
    if about.st_uid != os.geteuid():
        yield Finding(
            "state",
            "error",
            f"{path} belongs to the user {about.st_uid}, not to you",
            f"chown {os.geteuid()} {path}",
        )
    mode = stat.S_IMODE(about.st_mode)
    if mode & forbidden:
        right = mode & ~forbidden
        yield Finding(
            "state",
            "error" if mode & 0o022 else "warning",
            f"{path} has mode {mode:04o}: others may {'write' if mode & 0o022 else 'read'} it",
            f"chmod {right:04o} {path}",
            fix=lambda: path.chmod(right),
        )
