"""`setup`: profiles for every AWS SDK, as `credential_process` lines in `~/.aws/config`."""

from __future__ import annotations

import difflib
import re
import shutil
import sys
from pathlib import Path

import click

from broker import aws_files
from broker.cli.app import App, command
from broker.errors import AwsLoginError, UsageError
from broker.paths import read_or_none

_UNQUOTABLE = re.compile(r"""["'`$%!#;\r\n]""")


@command()
@click.option("--remove", is_flag=True, help="Take the block out again.")
@click.option("--dry-run", is_flag=True, help="Show the change, make none.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def setup(app: App, *, remove: bool, dry_run: bool, yes: bool) -> None:
    """Make `aws --profile NAME` and every SDK sign in through awslogin."""
    path = aws_files.config_path(app.environ)
    before = read_or_none(path) or b""
    names: list[str] = []
    if remove:
        after = aws_files.without_block(before)
    else:
        app.config.require_trust()
        lines, names = _block(app, before)
        after = aws_files.with_block(before, lines)
    change = _diff(path, before, after)
    agreed = dry_run or not change or _agreed(app, change, yes=yes)
    if change and agreed and not dry_run:
        aws_files.write_back(path, after)
    if app.output == "json":
        done = bool(change) and agreed and not dry_run
        app.say_json({"file": str(path), "changed": done, "profiles": names, "diff": change})
    elif dry_run or not change or not agreed:
        app.say(change if dry_run and change else f"{path}: unchanged\n")
    else:
        app.say(f"{path}: {'block removed' if remove else f'{len(names)} profiles'}\n")


def _block(app: App, before: bytes) -> tuple[list[str], list[str]]:
    """The lines of the block and the profiles in it; what already has a section is left alone."""
    taken = aws_files.sections(before)
    keys = aws_files.sections(read_or_none(aws_files.credentials_path(app.environ)) or b"")
    program = " ".join(_quoted(word) for word in _program())
    config = _quoted(str(app.config.path.absolute()))
    lines: list[str] = []
    names: list[str] = []
    for name in app.config.names:
        try:
            profile = app.config.profile(name)
        except AwsLoginError as error:
            app.ui.warn(f"{name} left out: {error.message}")
            continue
        if name in taken:
            app.ui.warn(f"{name} left out: the file has a section [profile {name}] of its own")
            continue
        if name in keys:
            app.ui.warn(f"{name}: keys in the AWS credentials file win over awslogin's session")
        section = "[default]" if name == "default" else f"[profile {name}]"
        lines += [
            section,
            f"credential_process = {program} creds {name} --config {config}",
            f"region = {profile.region}",
        ]
        names.append(name)
    return lines, names


def _program() -> list[str]:
    """The words that start awslogin from any folder."""
    script = Path(sys.executable).parent / "awslogin"
    found = str(script) if script.exists() else shutil.which("awslogin")
    return [str(Path(found).absolute())] if found else [sys.executable, "-P", "-m", "broker"]


def _quoted(word: str) -> str:
    """A word that a shell, cmd.exe and botocore's own splitter read alike.

    Raises:
        UsageError: They would not.
    """
    if _UNQUOTABLE.search(word):
        raise UsageError(
            f"{word} holds a character that AWS config files cannot carry safely",
            hint="move the file to a folder with a plain name",
        )
    return f'"{word}"' if " " in word else word


def _diff(path: Path, before: bytes, after: bytes) -> str:
    old, new = (
        text.decode("utf-8", errors="replace").splitlines(keepends=True) for text in (before, after)
    )
    lines = difflib.unified_diff(old, new, str(path), f"{path} (awslogin)", n=1)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _agreed(app: App, change: str, *, yes: bool) -> bool:
    """On a terminal the person sees the change and agrees; elsewhere the command is the consent."""
    if yes or not app.ui.interactive:
        return True
    return app.ui.confirm("Write this?", about=change)
