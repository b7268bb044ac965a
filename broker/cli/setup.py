"""`setup`: profiles for every AWS SDK, as `credential_process` lines in `~/.aws/config`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from broker import aws_files
from broker.aws_config import Rewritten, profiles, rewritten
from broker.aws_readable import unreadable
from broker.cli.app import App, command
from broker.cli.change import agreed as agreed_to
from broker.cli.change import diff
from broker.cli.setup_sections import Wanted, wanted_sections
from broker.config import NoConfig
from broker.config.loading import find
from broker.errors import UsageError
from broker.put_aside import PutAside
from broker.terminal_text import counted
from broker.warm import FILE_NAME, working_directory


@command()
@click.option("--remove", is_flag=True, help="Take this config's sections out again.")
@click.option("--all", "every", is_flag=True, help="With --remove: those of every config.")
@click.option("--take-over", is_flag=True, help="Put sections of your own aside, until --remove.")
@click.option("--prefix", default="", metavar="TEXT", help="Put TEXT before each profile's name.")
@click.option(
    "--name-format",
    metavar="FORMAT",
    help="Name them so, of {profile} {provider} {account} {role} {team}.",
)
@click.option("--dry-run", is_flag=True, help="Show the change, make none.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def setup(
    app: App,
    *,
    remove: bool,
    every: bool,
    take_over: bool,
    prefix: str,
    name_format: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Make `aws --profile NAME` and every SDK sign in through awslogin."""
    path = aws_files.config_path(app.environ).absolute()
    before = aws_files.read(path)
    if remove:
        wanted = Wanted()
        file = None if every else _file_here(app)
    elif every:
        raise UsageError("--all stands beside --remove", hint="`awslogin setup` writes one config")
    else:
        file = os.path.normpath(app.config.path.absolute())
        template = name_format or "{profile}"
        wanted = wanted_sections(
            app, before or b"", file, f"{prefix}{template}", take_over=take_over
        )
    result = rewritten(before, wanted.sections, file=file, take_over=wanted.taken_over)
    aside = PutAside(app.environ, path)
    if before is not None:
        result.content = aside.with_missing(result.content)
    _warn(app, path, before or b"", result, file)
    change = diff(path, before or b"", result.content or b"")
    agreed = dry_run or not change or agreed_to(app, change, yes=yes)
    done = bool(change) and agreed and not dry_run
    if done:
        if aws_files.read(path) != before:
            raise UsageError(f"{path} was changed meanwhile", hint="run it again")
        aside.keep(before or b"", wanted.taken_over)
        aws_files.write_back(path, result.content, "AWS_CONFIG_FILE")
    if not dry_run and agreed:
        aside.forget_those_in(result.content)
    if app.output == "json":
        app.say_json(
            {
                "file": str(path),
                "changed": done,
                "profiles": list(wanted.sections),
                "left_out": wanted.left_out,
                "taken_over": wanted.taken_over,
                "dropped": result.dropped,
                "unreadable": unreadable(result.content or b""),
                "diff": change,
            }
        )
    elif done:
        app.say(f"{path}: {_done(wanted, result, remove=remove)}\n")
    else:
        app.say(change if dry_run and change else f"{path}: unchanged\n")


def _done(wanted: Wanted, result: Rewritten, *, remove: bool) -> str:
    outcome = "block removed" if remove else counted(len(wanted.sections), "profile")
    spoiled = unreadable(result.content or b"")
    return f"{outcome}; but no SDK can use them: {spoiled}" if spoiled and not remove else outcome


def _file_here(app: App) -> str | None:
    """The YAML that counts here, whether it can be read or not; None where there is none."""
    try:
        path, _ = find(app.config_option, app.environ, Path(working_directory()), app.found_option)
    except NoConfig:
        return None
    return os.path.normpath(path.absolute())


def _warn(app: App, path: Path, before: bytes, result: Rewritten, file: str | None) -> None:
    """What the person should know before the file is changed."""
    for name, keys in result.dropped.items():
        app.ui.warn(f"{path}: what others set in [{name}] goes with it: {', '.join(keys)}")
    for name, region in result.regions.items():
        app.ui.warn(f"{path}: region {region} of [{name}] gives way to that of the YAML")
    spoiled = unreadable(result.content or b"")
    if spoiled:
        app.ui.warn(f"the AWS CLI and boto3 do not read {path}: {spoiled}")
    lines = {line for line in profiles(before).values() if line}
    old = {line for line in lines if line.how == "config" and Path(line.file).name == FILE_NAME}
    ours = {line for line in old if file in {None, line.file}}
    if ours:
        app.ui.warn(
            f"{path}: {counted(len(ours), 'line')} of an older version, which trusted {FILE_NAME}"
            f" whatever it came to say, {'is' if len(ours) == 1 else 'are'} replaced"
        )
    for other in sorted({line.file for line in old - ours}):
        app.ui.warn(
            f"{path}: lines of an older version name {other}: replace them by `awslogin setup` in"
            " its folder"
        )
    if not ({line.file for line in lines} <= {file, None}) and file and not result.dropped:
        others = sorted({line.file for line in lines} - {file})
        app.note(f"{path}: the sections of {', '.join(others)} stay")
