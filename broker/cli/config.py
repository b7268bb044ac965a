"""`config`: check, show, schema, trust, path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from broker.cli.app import App, command
from broker.cli.config_update import update
from broker.cli.trusting import agreed_to_trust, consent_to_fetch
from broker.config import NoConfig, Profile, SpoiledFile
from broker.config.loading import find, read
from broker.config.models import json_schema
from broker.config.problems import MAX_SHOWN
from broker.config.trust import Trust, subject_of
from broker.errors import ConfigError, UsageError
from broker.paths import config_dir
from broker.schemas import PUBLISHED
from broker.terminal_text import counted
from broker.warm import working_directory


@click.group()
def config() -> None:
    """The team's YAML."""


@command(group=config)
def check(app: App) -> int:
    """List everything that is wrong in the config."""
    try:
        path = str(app.config.path)
        problems = app.config.problems
        count = len(problems)
    except SpoiledFile as spoiled:
        path, problems, count = spoiled.file or "", spoiled.errors, spoiled.count
    problems = problems[:MAX_SHOWN]
    if app.output == "json":
        app.say_json(
            {
                "file": path,
                "ok": not problems,
                "problems": [_problem(p) for p in problems],
                "count": count,
            }
        )
    elif problems:
        lines = [f"{p.message}{f' ({p.hint})' if p.hint else ''}\n" for p in problems]
        if count > len(problems):
            lines.append(f"and {count - len(problems)} more\n")
        app.say("".join(lines))
    else:
        app.say(f"{path}: ok, {counted(len(app.config.names), 'profile')}\n")
    return ConfigError.exit_code if problems else 0


@command(group=config)
def show(app: App) -> None:
    """Show each profile as it is resolved."""
    rows = [profile_values(profile) for profile in app.sound_profiles()]
    if app.output == "json":
        app.say_json({"file": str(app.config.path), "team": app.config.team, "profiles": rows})
        return
    for row in rows:
        name = row.pop("profile")
        lines = [f"  {key}: {_word(value)}\n" for key, value in row.items() if value]
        app.say(f"{name}\n{''.join(lines)}")


@command(group=config)
@click.option("--session", "what", flag_value="session", help="Of a session, `--output json`.")
@click.option("--error", "what", flag_value="error", help="Of a failure, one line on stderr.")
@click.option("--list", "what", flag_value="list", help="Of `list --output json`.")
@click.option("--report", "what", flag_value="report", help="Of `report --format json`.")
@click.option("--plugins", is_flag=True, help="Of the YAML with other wheels' providers.")
@click.option("--status", "what", flag_value="status", help="Of `status --output json`.")
def schema(app: App, *, what: str | None, plugins: bool) -> None:
    """Print the JSON schema of the YAML, or of what awslogin prints."""
    app.say_json(PUBLISHED[what] if what else json_schema(plugins=plugins))


@command(group=config)
@click.argument("file", required=False)
@click.option("--revoke", is_flag=True, help="Trust it no longer.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def trust(app: App, *, file: str | None, revoke: bool, yes: bool) -> None:
    """Trust a config file as it is now; after a change it asks again."""
    path = Path(file).absolute() if file else _found(app)
    try:
        subject = subject_of(
            path, path.read_bytes(), app.environ, consent=consent_to_fetch(app, yes=yes)
        )
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if file is None and subject.document.data is None:
        app.require_trust()  # which says what is wrong with it
        return
    known = Trust(app.environ)
    agreed = not revoke
    if revoke:
        known.revoke(subject)
    elif not (yes or known.holds(subject)) and app.ui.interactive:
        agreed = agreed_to_trust(app.ui, known, subject)
    if agreed:
        known.add(subject)
    if app.output == "json":
        app.say_json({"file": str(path), "trusted": agreed})
    else:
        app.say(f"{path}: {'trusted' if agreed else 'not trusted'}\n")


def _found(app: App) -> Path:
    """The config that counts here, whether all that it extends has been fetched or not."""
    folder = Path(working_directory())
    return find(app.config_option, app.environ, folder, app.found_option)[0]


@command("path", group=config)
def path_(app: App) -> None:
    """Print which file counts here, or where yours would be."""
    try:
        path, given = find(
            app.config_option, app.environ, Path(working_directory()), app.found_option
        )
    except NoConfig:
        path, given = config_dir(app.environ) / "config.yaml", True
    exists = path.is_file()
    if app.output == "json":
        trusted = given or (
            exists and Trust(app.environ).holds(subject_of(path, read(path), app.environ))
        )
        app.say_json({"file": str(path), "exists": exists, "trusted": trusted})
        return
    app.say(f"{path}\n")
    if not exists:
        app.note("it is not there yet: `awslogin init` makes one")


def profile_values(profile: Profile) -> dict[str, Any]:
    """A profile's values by their names in the YAML; none is a secret."""
    return {
        "profile": profile.name,
        "provider": list(profile.provider_names) or None,
        "source": profile.source.name if profile.source else None,
        "account": profile.account,
        "role": profile.role,
        "role_arn": profile.role_arn,
        "region": profile.region,
        "duration": profile.duration,
        "mfa_serial": profile.mfa_serial,
        "mfa_process": profile.mfa_process,
        "external_id": profile.external_id,
        "session_name": profile.session_name,
        "session_tags": dict(profile.session_tags),
        "transitive_tags": list(profile.transitive_tags),
        "source_identity": profile.source_identity,
        "policy": profile.policy,
        "policy_arns": list(profile.policy_arns),
        "tags": dict(profile.tags),
    }


def _problem(problem: ConfigError) -> dict[str, Any]:
    return {
        "message": problem.reason,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "hint": problem.hint,
        "profile": problem.profile,
    }


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


config.add_command(update)
