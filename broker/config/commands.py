"""The commands that a YAML names: what runs, and which files of the repository that is.

A command is a program on PATH or an absolute path, or lies beside the YAML, whose trust then
covers its content too. Commands run in the YAML's folder, so that a word means one file.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from broker.config.document import Path as Keys
from broker.warm import leads_by_process


class Command(NamedTuple):
    """A command that a YAML names.

    Attributes:
        keys: The place in the YAML.
        text: The command as one line.
        arguments: The program and its arguments; of a shell's line its operators too.
    """

    keys: Keys
    text: str
    arguments: tuple[str, ...]


def commands_in(data: Any) -> Iterator[Command]:
    """Every command of a YAML's plain data, whatever else is wrong in it."""
    for name, profile in _entries(data, "profiles"):
        text = profile.get("mfa_process")
        if isinstance(text, str):
            yield Command(("profiles", name, "mfa_process"), text, _tokens(text))
    for name, provider in _entries(data, "providers"):
        arguments = provider.get("command")
        if isinstance(arguments, list) and all(isinstance(argument, str) for argument in arguments):
            yield Command(("providers", name, "command"), shlex.join(arguments), tuple(arguments))
        program = provider.get("executable")
        if isinstance(program, str):
            yield Command(("providers", name, "executable"), program, (program,))


def flaw_of(command: Command, folder: Path) -> str | None:
    """Why a command may not run: its program is a path that leads out of the YAML's folder."""
    program = os.path.expanduser(command.arguments[0]) if command.arguments else ""  # noqa: PTH111
    if leads_by_process(program):
        return f"`{program}` is another file in each process"
    if "/" not in program or program.startswith("/"):
        return None
    path = folder / program
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        return f"`{program}` lies outside the folder of the YAML"
    return None if os.path.isfile(path) else f"there is no {path}"  # noqa: PTH113


def files_of(command: Command, folder: Path) -> list[Path]:
    """The files that a command's arguments name, seen from the YAML's folder; not those of PATH."""
    # Unlike `Path.is_file`: one that is too long, or in a folder that we may not see, is no file.
    named = (folder / argument for argument in command.arguments if argument)
    return [path for path in named if os.path.isfile(path)]  # noqa: PTH113


def _entries(data: Any, section: str) -> Iterator[tuple[str, dict[str, Any]]]:
    entries = data.get(section) if isinstance(data, dict) else None
    if isinstance(entries, dict):
        for name, entry in entries.items():
            if isinstance(entry, dict):
                yield str(name), entry


def _tokens(text: str) -> tuple[str, ...]:
    """A shell's line as words and operators; split at spaces where its quotes do not close."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    lexer.whitespace_split = True
    try:
        return tuple(lexer)
    except ValueError:
        return tuple(text.split())
