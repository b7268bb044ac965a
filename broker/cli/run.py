"""`exec` and `shell`: a command that runs with a session."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from broker import child, shells
from broker.cli.app import App, command
from broker.cli.completion import profile_argument
from broker.cli.confirming import is_confirmed
from broker.cli.login_options import login_options
from broker.cli.narrowing import Narrowing, narrowing_options, served_for
from broker.environment import for_child, for_served_child
from broker.errors import AwsLoginError, UsageError
from broker.provider import KeyHolder
from broker.session import Session
from broker.terminal_text import to_stderr

if TYPE_CHECKING:
    from broker.config import Profile
    from broker.login import SessionRequirements

NOT_FOUND = 127
CANNOT_RUN = 126
"""What shells return where a command is missing or cannot be run."""


class _WithCommand(click.Command):
    """Parts our arguments from the command: behind `--`, or behind the profile if that is plain."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ours, command_line = self._parted(ctx, args)
        rest = super().parse_args(ctx, ours)
        ctx.params["command_line"] = command_line
        if command_line is not None:  # what is completed now is not the profile
            ctx.set_parameter_source("profile", ParameterSource.COMMANDLINE)
        return rest

    def _parted(self, ctx: click.Context, args: list[str]) -> tuple[list[str], list[str] | None]:
        """Our arguments and the command with its own; None where no command has begun.

        Raises:
            UsageError: An option could be either's.
        """
        if "--" in args:
            place = args.index("--")
            return args[:place], args[place + 1 :]
        takes_value = {
            option: not param.is_flag
            for param in self.get_params(ctx)
            if isinstance(param, click.Option)
            for option in param.opts
        }
        place, plain = 0, 0
        while place < len(args) and plain < 2:
            if args[place].startswith("-"):
                place += 1 + takes_value.get(args[place], False)
            elif (plain := plain + 1) < 2:
                place += 1
        ours, command_line = args[:place], args[place:]
        either = [word for word in command_line if word.partition("=")[0] in takes_value]
        if either and not ctx.resilient_parsing:
            raise UsageError(
                f"is {either[0]} awslogin's or {command_line[0]}'s? The command stands behind `--`",
                hint=f"`{shlex.join(['awslogin', 'exec', *ours, '--', *command_line])}`",
            )
        return ours, command_line or None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Behind the profile: commands, then files."""
        command_line = ctx.params.get("command_line")
        if command_line is None and (incomplete.startswith("-") or not ctx.params.get("profile")):
            return super().shell_complete(ctx, incomplete)
        found = [] if command_line or "/" in incomplete else _commands(incomplete)
        return [*map(CompletionItem, found), CompletionItem(incomplete, type="file")]


def _commands(incomplete: str) -> list[str]:
    """The programs on PATH that begin so."""
    found: set[str] = set()
    for folder in os.get_exec_path():
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            found |= {
                entry.name
                for entry in entries
                if entry.name.startswith(incomplete) and os.access(entry.path, os.X_OK)
            }
    return sorted(found)


class _Commands(click.Group):
    command_class = _WithCommand


@command("exec", group=_Commands())
@profile_argument()
@click.option("--server", is_flag=True, help="Serve the session, renewed, instead of its keys.")
@click.option("--no-session", is_flag=True, help="A static profile's own keys, without a session.")
@narrowing_options
@login_options
def exec_(
    app: App,
    *,
    profile: str | None,
    command_line: list[str] | None,
    server: bool,
    no_session: bool,
    narrowing: Narrowing,
    duration: int | None,
    requirements: SessionRequirements,
) -> int:
    """Run a command with the session: `awslogin exec PROFILE -- CMD…`."""
    if not command_line:
        example = f"{profile or 'PROFILE'} -- aws s3 ls"
        if profile and command_line is None and profile not in app.config:
            example = f"PROFILE -- {profile}"
        raise UsageError("no command after `--`", hint=f"`awslogin exec {example}`")
    if not command_line[0]:
        return _cannot_start("''", FileNotFoundError())
    if server and no_session:
        raise UsageError("--server serves sessions; --no-session has none", hint="take one of them")
    if narrowing and no_session:
        raise UsageError(
            "--no-session hands out a user's own keys, which nothing narrows",
            hint="take one of them",
        )
    chosen = app.profile(profile, duration)
    chosen = narrowing.of(app, chosen, served_for=served_for(duration) if server else None)
    with app.naming(chosen.name):
        is_confirmed(app, chosen)
        session = _own_keys(app, chosen) if no_session else app.login.session(chosen, requirements)
    app.broker.events.note(
        "exec",
        session.profile,
        provider=session.provider,
        type=session.type,
        account_id=session.account_id,
        arn=session.arn,
        command=os.path.basename(command_line[0]),  # noqa: PTH119 - a word, not a path of ours
    )
    if server:
        return _run_served(app, command_line, session, chosen, requirements)
    return _run(app, command_line, session)


@command()
@profile_argument()
@narrowing_options
@login_options
def shell(
    app: App,
    *,
    profile: str | None,
    narrowing: Narrowing,
    duration: int | None,
    requirements: SessionRequirements,
) -> int:
    """Open a sub-shell with the session; its prompt says which, `exit` leaves it."""
    chosen = narrowing.of(app, app.profile(profile, duration))
    with app.naming(chosen.name):
        is_confirmed(app, chosen)
        session = app.login.session(chosen, requirements)
    narrowed = "narrowed " if session.narrowed else ""
    app.note(f"a shell with the {narrowed}session of {chosen.name}; `exit` leaves it")
    hint = f"{chosen.name}{':narrowed' if session.narrowed else ''}"
    command_line, more = shells.with_hint(app.environ, hint)
    return _run(app, command_line, session, more)


def _own_keys(app: App, profile: Profile) -> Session:
    """A static profile's own keys, as they lie in the keychain."""
    provider = app.broker.plugins.provider_of(profile)
    if not isinstance(provider, KeyHolder) or profile.keys_profile != profile.name:
        raise UsageError(
            f"{profile.name} has no keys of its own", hint="--no-session is for static profiles"
        )
    app.ui.warn(f"{profile.name}'s own long-lived keys are given to the command")
    return app.login.without_session(profile, provider.user_keys(profile.name))


def _run(
    app: App, command_line: list[str], session: Session, more: Mapping[str, str] | None = None
) -> int:
    """Become the command; on Windows, wait for it."""
    _say_which_wins(app, session)
    _say_which_region(app, session)
    secrets = _secret_variables(app, session)
    environ = for_child(session, app.environ, secrets)
    environ |= _lent(app, session) | dict(more or {})
    try:
        if sys.platform == "win32":
            return child.run(command_line, environ, mask=set())
        child.become(command_line, environ)
    except OSError as error:
        return _cannot_start(command_line[0], error)


def _run_served(
    app: App,
    command_line: list[str],
    session: Session,
    profile: Profile,
    requirements: SessionRequirements,
) -> int:
    """Serve the session to the command until it ends, a new one whenever it is time."""
    from broker import render
    from broker.agent.endpoint import PATH, CredentialsEndpoint
    from broker.aws_copies import without_default_credentials
    from broker.fresh import FreshSession

    _say_which_wins(app, session)
    _say_which_region(app, session)
    app.ui.leave_alone()
    fresh = FreshSession(app.login, profile, requirements, session, ui=app.ui)
    endpoint = CredentialsEndpoint({PATH: lambda: render.container(fresh.current())})
    lent = _lent(app, session)
    with child.signals_held() as mask, contextlib.ExitStack() as running:
        files = running.enter_context(without_default_credentials(app.environ))
        secrets = _secret_variables(app, session)
        environ = for_served_child(session, app.environ, endpoint.environ(), secrets)
        environ |= files | lent

        def serve() -> None:
            running.enter_context(endpoint)
            running.enter_context(fresh)

        try:
            return child.run(command_line, environ, mask=mask, meanwhile=serve)
        except OSError as error:
            return _cannot_start(command_line[0], error)


def _lent(app: App, session: Session) -> dict[str, str]:
    """What lets a child have our sessions; with a narrowed one it is not to have others."""
    return {} if session.narrowed else app.broker.agent.for_child()


def _secret_variables(app: App, session: Session) -> set[str]:
    """Variables by which a child could sign in itself: those of the profile's providers.

    With a narrowed session, those of any provider of the config.
    """
    names = app.config.profile(session.profile).root.provider_names
    found: set[str] = set()
    for name in app.config.provider_names if session.narrowed else names:
        with contextlib.suppress(AwsLoginError):  # one that is spoiled is of another profile
            spec = app.config.provider(name)
            found |= {*spec.plugin.secret_variables(spec.options)}
    return found


def _say_which_wins(app: App, session: Session) -> None:
    outer = app.environ.get("AWSLOGIN_PROFILE")
    inside = {"AWS_ACCESS_KEY_ID", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} & app.environ.keys()
    if outer and outer != session.profile and inside:
        app.note(f"inside the session of {outer}: that of {session.profile} wins")


def _say_which_region(app: App, session: Session) -> None:
    """Inside `exec` the region is that of the outer session: it was no choice of the person's."""
    theirs = app.environ.get("AWS_REGION") or app.environ.get("AWS_DEFAULT_REGION")
    if theirs and theirs != session.region and not app.environ.get("AWSLOGIN_PROFILE"):
        app.note(
            f"the environment's region {theirs} gives way to {session.region} of"
            f" {session.profile}; --region {theirs} keeps it"
        )


def _cannot_start(word: str, error: OSError) -> int:
    """What shells say and return where a command does not start."""
    missing = isinstance(error, FileNotFoundError)
    to_stderr(f"awslogin: {word}: {'no such command' if missing else error.strerror}")
    return NOT_FOUND if missing else CANNOT_RUN
