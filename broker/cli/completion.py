"""`completion`, and the arguments that complete themselves. Owns what the shells are offered.

A shell asks at every press of TAB, so the profiles' names are kept beside the stamps of the files
that they were read from: as long as those hold, no YAML is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from broker import quick_completion
from broker.cli.app import App, command
from broker.errors import AwsLoginError
from broker.file_fingerprint import file_fingerprint, is_trustworthy
from broker.paths import read_or_none, write_private
from broker.warm import COMPLETE as VARIABLE

SHELLS = ("bash", "zsh", "fish", "powershell")
COMPINIT = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }"
"""zsh's own completion, where the person's start-up files have not begun it."""
MOST_CONFIGS = 8
"""Configs whose profiles' names are cached; of more than these the oldest goes."""

POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName awslogin -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -le $cursorPosition } | ForEach-Object { $_.ToString() })
    if ($wordToComplete -ne '') { $words = @($words | Select-Object -SkipLast 1) }
    $env:_AWSLOGIN_COMPLETE = 'powershell_complete'
    $env:COMP_WORDS = ($words + $wordToComplete) -join "`n"
    try {
        awslogin | Where-Object { $_ } | ForEach-Object {
            [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
        }
    } finally {
        Remove-Item Env:_AWSLOGIN_COMPLETE, Env:COMP_WORDS -ErrorAction SilentlyContinue
    }
}
"""


@command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(app: App, *, shell: str) -> None:
    """Print what makes SHELL complete commands, options and profiles."""
    if shell == "powershell":
        script = POWERSHELL
    else:
        from click.shell_completion import get_completion_class

        kind = get_completion_class(shell)
        assert kind
        group = click.get_current_context().find_root().command
        made = kind(group, {}, "awslogin", VARIABLE)
        script = made.source_template % made.source_vars()
    if shell == "zsh":
        script = script.replace("    compdef ", f"    {COMPINIT}\n    compdef ")
    if app.output == "json":
        app.say_json({"shell": shell, "script": script})
    else:
        app.say_exactly(script)


def answer(root: click.Command, asked: str) -> int:
    """What a shell asks in `VARIABLE`; the exit code."""
    if asked == "powershell_complete":
        return _for_powershell(root)
    from click.shell_completion import shell_complete

    return shell_complete(root, {}, "awslogin", VARIABLE, asked)


def _for_powershell(root: click.Command) -> int:
    """One completion a line; `COMP_WORDS` has a typed word a line, the last one unfinished."""
    from click.shell_completion import ShellComplete

    *typed, incomplete = os.environ.get("COMP_WORDS", "awslogin\n").split("\n")
    found = ShellComplete(root, {}, "awslogin", VARIABLE).get_completions(typed[1:], incomplete)
    click.echo("\n".join(item.value for item in found if item.type == "plain"))
    return 0


def profile_argument(
    name: str = "profile", *, nargs: int = 1, required: bool = False
) -> Callable[[Any], Any]:
    """A profile, completed from the config."""
    return click.argument(
        name, nargs=nargs, required=required, shell_complete=_profiles, metavar="[PROFILE]"
    )


def provider_argument() -> Callable[[Any], Any]:
    """A provider, completed from the config."""
    return click.argument("provider", shell_complete=_providers)


def _profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    return profiles(ctx.params.get("config"), incomplete)


def _providers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    from broker.config import load

    try:
        config = load(ctx.params.get("config"), os.environ, Path.cwd())
    except (AwsLoginError, OSError):
        return []
    return [name for name in config.provider_names if name.startswith(incomplete)]


def profiles(config: str | None, incomplete: str) -> list[str]:
    """The profiles that begin so; none at all where the config cannot be read."""
    try:
        return [name for name in _names(config) if name.startswith(incomplete)]
    except (AwsLoginError, OSError):
        return []


def _names(option: str | None) -> list[str]:
    try:
        key = quick_completion.key(option or "")
        known = _cached().get(key)
    except FileNotFoundError:  # no place for our state
        known = None
    if known and quick_completion.holds(known):
        names: list[str] = known["names"]
        return names
    from click import shell_completion

    from broker.config import load

    config = load(option, os.environ, Path.cwd())
    lines_from = str(shell_completion.__file__)
    stamps = {**config.fingerprints, lines_from: file_fingerprint(lines_from)}
    if all(is_trustworthy(fingerprint) for fingerprint in stamps.values()):
        by_config = _cached()
        by_config.pop(key, None)
        by_config[key] = {
            "stamps": {file: fingerprint.decode() for file, fingerprint in stamps.items()},
            "names": config.names,
            "lines": _lines(),
        }
        write_private(_file(), json.dumps(dict(list(by_config.items())[-MOST_CONFIGS:])).encode())
    return config.names


def _lines() -> dict[str, str]:
    """What each shell reads for one word, which `*` stands for."""
    from click.shell_completion import CompletionItem, get_completion_class

    found: dict[str, str] = {}
    for shell in ("bash", "zsh", "fish"):
        kind = get_completion_class(shell)
        assert kind
        made = kind(click.Command("awslogin"), {}, "awslogin", VARIABLE)
        found[f"{shell}_complete"] = made.format_completion(CompletionItem("*"))
    return found


def _cached() -> dict[str, Any]:
    """Config → its profiles' names as they were read last, and what they were read from."""
    try:
        cached = json.loads(read_or_none(_file()) or b"{}")
    except ValueError:
        return {}
    return cached if isinstance(cached, dict) else {}


def _file() -> Path:
    return Path(quick_completion.file())
