"""Our own folders: whose they are, and who may read and write them."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from broker import aws_files
from broker.doctor.finding import Finding, Machine
from broker.paths import config_dir, data_dir, state_dir
from broker.whole_files import left_behind, sweep


def folders(machine: Machine) -> Iterator[Finding]:
    """State, data and config: ours, and nobody else's to write."""
    seen: set[Path] = set()
    wrong = False
    for finding in _unwritable(state_dir(machine.environ)):
        wrong = True
        yield finding
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


def leftovers(machine: Machine) -> Iterator[Finding]:
    """What writers that were killed left: temporary files, and backups of files half written."""
    files = _written_files(machine)
    found = {path: file for file in files for path in left_behind(file.parent, file.name)}
    for path, file in found.items():
        yield Finding(
            "leftovers",
            "warning",
            f"{path} was left by a writer that was killed; {file.name} itself is whole",
            f"rm {shlex.quote(str(path))}",
            fix=partial(sweep, file.parent, file.name),
        )
    half = [file for file in files if aws_files.backup_of(file.resolve()).exists()]
    for file in half:
        backup = aws_files.backup_of(file.resolve())
        yield Finding(
            "leftovers",
            "warning",
            f"a write of {file} was interrupted; its content before that is in {backup}",
            f"cp {shlex.quote(str(backup))} {shlex.quote(str(file))}, then remove the backup",
        )
    if not found and not half:
        yield Finding("leftovers", "ok", "no writer that was killed left anything")


def _written_files(machine: Machine) -> list[Path]:
    """The files that awslogin writes, or one for each folder of many."""
    state, own = state_dir(machine.environ), config_dir(machine.environ)
    inner = [folder for folder in state.glob("*") if folder.is_dir()] if state.is_dir() else []
    config = [machine.config.path] if machine.config else []
    return [
        aws_files.config_path(machine.environ),
        aws_files.credentials_path(machine.environ),
        *config,
        own / "config.yaml",
        data_dir(machine.environ) / "vault",
        *(folder / "any" for folder in (state, *inner)),
    ]


def _unwritable(folder: Path) -> Iterator[Finding]:
    """Nothing can be kept in a folder that is none, or may not be written."""
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    why = "may not be written" if not os.access(there, os.W_OK | os.X_OK) else ""
    why = why if there.is_dir() else "is no folder"
    if why:
        yield Finding(
            "state",
            "error",
            f"{there} {why}: no session can be kept in {folder}",
            "give yourself access there, or set AWSLOGIN_HOME to a folder of your own",
        )


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
