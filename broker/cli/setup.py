"""`setup`: profiles for every AWS SDK, as `credential_process` lines in `~/.aws/config`."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import click

import broker
from broker import aws_files
from broker.cli.app import App, command
from broker.cli.change import agreed as agreed_to
from broker.cli.change import diff
from broker.errors import AwsLoginError, UsageError

_PLAIN = re.compile(r"[\w@+=:,./\\-]+")
_UNQUOTABLE = re.compile(
    r"""["'`$%!#;\r\n]""" if sys.platform == "win32" else r"""["'`$%!#;\\\r\n]"""
)


@command()
@click.option("--remove", is_flag=True, help="Take the block out again.")
@click.option("--dry-run", is_flag=True, help="Show the change, make none.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def setup(app: App, *, remove: bool, dry_run: bool, yes: bool) -> None:
    """Make `aws --profile NAME` and every SDK sign in through awslogin."""
    path = aws_files.config_path(app.environ).absolute()
    before = aws_files.read(path)
    block = _Block()
    if remove:
        after = aws_files.as_before(before)
    else:
        app.config.require_trust()
        block = _block(app, before or b"")
        after = aws_files.with_block(before, block.lines)
    change = diff(path, before or b"", after or b"")
    agreed = dry_run or not change or agreed_to(app, change, yes=yes)
    done = bool(change) and agreed and not dry_run
    if done:
        if aws_files.read(path) != before:
            raise UsageError(f"{path} was changed meanwhile", hint="run it again")
        aws_files.write_back(path, after)
    if app.output == "json":
        app.say_json(
            {
                "file": str(path),
                "changed": done,
                "profiles": block.names,
                "left_out": block.left_out,
                "diff": change,
            }
        )
    elif done:
        said = "block removed" if remove else f"{len(block.names)} profiles"
        app.say(f"{path}: {said}\n")
    else:
        app.say(change if dry_run and change else f"{path}: unchanged\n")


@dataclass
class _Block:
    """What stands in the block, and what does not."""

    lines: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def _block(app: App, before: bytes) -> _Block:
    """A section for each profile; what already has a section of its own is left alone."""
    taken = aws_files.profiles_in_config(before)
    keys_file = aws_files.credentials_path(app.environ)
    keys = aws_files.profiles_in_credentials(aws_files.read(keys_file) or b"")
    program = " ".join(_quoted(word) for word in _program())
    config = _quoted(str(app.config.path.absolute()))
    block = _Block()
    for name in app.config.names:
        section = "[default]" if name == "default" else f"[profile {name}]"
        try:
            profile = app.config.profile(name)
        except AwsLoginError as error:
            block.left_out[name] = error.message
            continue
        if name in taken:
            block.left_out[name] = f"the file has a section {section} of its own"
            continue
        if name in keys:
            app.ui.warn(f"{name}: the section [{name}] of {keys_file} wins over awslogin's session")
        block.lines += [
            section,
            f"credential_process = {program} creds {name} --config {config}",
            f"region = {profile.region}",
        ]
        block.names.append(name)
    for name, reason in block.left_out.items():
        app.ui.warn(f"{name} left out: {reason}")
    return block


def _program() -> list[str]:
    """The words that start awslogin from any folder: the fastest that work here."""
    main = Path(broker.__file__).with_name("__main__.py")
    if sys.platform != "win32" and sys.executable and main.is_file():
        return [sys.executable, "-I", "-S", str(main.absolute())]
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
    return word if _PLAIN.fullmatch(word) else f'"{word}"'
