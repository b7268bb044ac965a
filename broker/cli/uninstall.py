"""`uninstall`: takes awslogin's traces off this machine, after showing them. The YAML stays."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from broker import aws_files
from broker.agent.client import AgentClient
from broker.aws_config import rewritten
from broker.cli.app import App, command
from broker.errors import AwsLoginError, KeychainError, UsageError
from broker.paths import config_dir, data_dir, expanded, state_dir
from broker.ports.entry_index import EntryIndex
from broker.ports.keychain import LazyKeychain
from broker.put_aside import PutAside
from broker.sealing_key import KEY_NAME
from broker.whole_files import write_whole

_START_FILES = (
    "~/.bashrc",
    "~/.bash_profile",
    "~/.profile",
    "~/.zshrc",
    "~/.config/fish/config.fish",
)
_COMMAND = rb"(?:\S*/)?awslogin (?:completion|shell-init) (?:bash|zsh|fish)"
_OUR_LINE = re.compile(
    rb"[ \t]*(?:(?:source|\.) <\(%(w)s\)|eval \"\$\(%(w)s\)\"|%(w)s \| source)[ \t]*(?:#.*)?\r?\n?"
    % {b"w": _COMMAND}
)
"""A whole line of a start-up file as our documentation has it."""
_PERSONAL_FILES = ("config.yaml", "settings.yaml")
"""Files of the person's own making, in a folder that `AWSLOGIN_HOME` may share with state."""


@dataclass(frozen=True)
class Trace:
    """Something that is ours: what it is, and how it goes."""

    what: str
    remove: Callable[[], object]


@command()
@click.option("--dry-run", is_flag=True, help="Show what would go, remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def uninstall(app: App, *, dry_run: bool, yes: bool) -> None:
    """Remove keychain entries, sessions, the agent and what `setup` wrote; the YAML stays."""
    traces = list(_traces(app))
    done: list[str] = []
    failed: list[AwsLoginError] = []
    if traces and not dry_run:
        about = "".join(f"{trace.what}\n" for trace in traces)
        if not (yes or app.ui.confirm("Remove all of this?", about=about)):
            raise UsageError("nothing was removed", hint="answer y, or run it with --yes")
        for trace in traces:
            try:
                trace.remove()
                done.append(trace.what)
            except AwsLoginError as error:
                failed.append(error)
        for folder in {state_dir(app.environ), data_dir(app.environ)}:
            with contextlib.suppress(OSError):
                folder.rmdir()  # where nothing of the person's own is left in it
    if app.output == "json":
        app.say_json({"found": [trace.what for trace in traces], "removed": done})
    else:
        app.say("".join(f"{'removed ' if done else ''}{trace.what}\n" for trace in traces))
        app.say("" if traces else "awslogin has left nothing here\n")
    for path in _start_files():
        app.note(f"{path} names awslogin: take those lines out by hand")
    if failed:
        raise failed[0]


def _traces(app: App) -> Iterator[Trace]:
    environ = app.environ
    client = AgentClient(environ)
    if client.status()["running"]:
        yield Trace("the agent", client.stop)
    path = aws_files.config_path(environ)
    before = aws_files.read(path)
    after = rewritten(before, {}, file=None).content
    if before is not None:
        after = PutAside(environ, path.absolute()).with_missing(after)
    if after != before:
        yield Trace(
            f"the profiles that `setup` wrote to {path}",
            lambda: aws_files.write_back(path, after, "AWS_CONFIG_FILE"),
        )
    for name in _START_FILES:
        for line in _our_lines(expanded(name)):
            text = line.decode(errors="replace").strip()
            yield Trace(f"the line `{text}` of {name}", partial(_take_out, expanded(name), line))
    yield from _entries(app)
    for folder in sorted({state_dir(environ), data_dir(environ)}):
        for part in sorted(folder.iterdir()) if folder.is_dir() else []:
            if part.name not in _PERSONAL_FILES or folder != config_dir(environ):
                yield Trace(str(part), lambda part=part: _remove(part))  # type: ignore[misc]


def _entries(app: App) -> Iterator[Trace]:
    """The entries of the system's keychain; those of the encrypted file go with it."""
    names = EntryIndex.of(app.environ).names()
    if (state_dir(app.environ) / "sealed").exists():
        names.append(KEY_NAME)
    keychain = LazyKeychain(app.ui, app.environ)
    may_fail = (data_dir(app.environ) / "vault").exists()

    def delete(name: str) -> None:
        try:
            keychain.delete(name)
        except KeychainError:
            if not may_fail:
                raise

    for name in names:
        yield Trace(f"the keychain entry {name}", lambda name=name: delete(name))  # type: ignore[misc]


def _remove(path: Path) -> None:
    """Remove a file or a folder; a link goes, not what it leads to."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be removed: {error.strerror}") from error


def _our_lines(path: Path) -> list[bytes]:
    return [line for line in _lines(path) if _OUR_LINE.fullmatch(line)]


def _take_out(path: Path, line: bytes) -> None:
    """Take a line out of a person's file; every other byte, the mode and a link stay."""
    path = path.resolve()
    content = b"".join(other for other in _lines(path) if other != line)
    try:
        write_whole(path, content, like=path.stat())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _start_files() -> list[str]:
    """Those that name awslogin in other lines than ours."""
    named = {name: [line for line in _lines(expanded(name)) if b"awslogin" in line]
             for name in _START_FILES}  # fmt: skip
    return [name for name, lines in named.items() if not all(map(_OUR_LINE.fullmatch, lines))]


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines(keepends=True)
    except OSError:
        return []
