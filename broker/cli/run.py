"""`exec` and `shell`: a command that runs with a session."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from broker import child, shells
from broker.cli.app import App, command, login_options
from broker.cli.completion import profile_argument
from broker.environment import for_child, for_served_child
from broker.errors import UsageError
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
    """Splits the words at `--`: what follows is the command, whatever it looks like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" not in args:
            if "--help" not in args:
                raise click.UsageError("the command stands behind `--`", ctx)
            return super().parse_args(ctx, args)
        place = args.index("--")
        rest = super().parse_args(ctx, args[:place])
        ctx.params["words"] = args[place + 1 :]
        return rest


class _Commands(click.Group):
    command_class = _WithCommand


@command("exec", group=_Commands())
@profile_argument(required=True)
@click.option("--server", is_flag=True, help="Serve the session, renewed, instead of its keys.")
@click.option("--no-session", is_flag=True, help="A static profile's own keys, without a session.")
@login_options
def exec_(
    app: App,
    *,
    profile: str,
    words: list[str],
    server: bool,
    no_session: bool,
    duration: int | None,
    requirements: SessionRequirements,
) -> int:
    """Run a command with the session: `awslogin exec PROFILE -- CMD…`."""
    if not words:
        raise UsageError("no command after `--`", hint="`awslogin exec PROFILE -- aws s3 ls`")
    if not words[0]:
        return _cannot_start("''", FileNotFoundError())
    if server and no_session:
        raise UsageError("--server serves sessions; --no-session has none", hint="take one of them")
    chosen = app.profile(profile, duration)
    with app.naming(chosen.name):
        app.is_confirmed(chosen)
        session = _own_keys(app, chosen) if no_session else app.login.session(chosen, requirements)
    app.broker.events.note(
        "exec",
        session.profile,
        provider=session.provider,
        type=session.type,
        account_id=session.account_id,
        arn=session.arn,
        command=os.path.basename(words[0]),  # noqa: PTH119 - a word, not a path of ours
    )
    if server:
        return _run_served(app, words, session, chosen, requirements)
    return _run(app, words, session)


@command()
@profile_argument()
@login_options
def shell(
    app: App, *, profile: str | None, duration: int | None, requirements: SessionRequirements
) -> int:
    """Open a sub-shell with the session; its prompt says which, `exit` leaves it."""
    chosen = app.profile(profile, duration)
    with app.naming(chosen.name):
        app.is_confirmed(chosen)
        session = app.login.session(chosen, requirements)
    app.note(f"a shell with the session of {chosen.name}; `exit` leaves it")
    words, more = shells.with_hint(app.environ, chosen.name)
    return _run(app, words, session, more)


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
    app: App, words: list[str], session: Session, more: Mapping[str, str] | None = None
) -> int:
    """Become the command; on Windows, wait for it."""
    _say_which_wins(app, session)
    secrets = _secret_variables(app, session)
    environ = for_child(session, app.environ, secrets)
    environ |= app.broker.agent.for_child() | dict(more or {})
    try:
        if sys.platform == "win32":
            return child.run(words, environ, mask=set())
        child.give_signals_back()
        os.execvpe(words[0], words, environ)
    except OSError as error:
        return _cannot_start(words[0], error)


def _run_served(
    app: App,
    words: list[str],
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
    app.ui.leave_alone()
    fresh = FreshSession(app.login, profile, requirements, session, ui=app.ui)
    endpoint = CredentialsEndpoint({PATH: lambda: render.container(fresh.current())})
    lent = app.broker.agent.for_child()
    with child.signals_held() as mask, contextlib.ExitStack() as running:
        files = running.enter_context(without_default_credentials(app.environ))
        secrets = _secret_variables(app, session)
        environ = for_served_child(session, app.environ, endpoint.environ(), secrets)
        environ |= files | lent

        def serve() -> None:
            running.enter_context(endpoint)
            running.enter_context(fresh)

        try:
            return child.run(words, environ, mask=mask, meanwhile=serve)
        except OSError as error:
            return _cannot_start(words[0], error)


def _secret_variables(app: App, session: Session) -> set[str]:
    """Variables by which a child could sign in itself: those of the profile's providers."""
    names = app.config.profile(session.profile).root.provider_names
    specs = [app.config.provider(name) for name in names]
    return {name for spec in specs for name in spec.plugin.secret_variables(spec.options)}


def _say_which_wins(app: App, session: Session) -> None:
    outer = app.environ.get("AWSLOGIN_PROFILE")
    inside = {"AWS_ACCESS_KEY_ID", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} & app.environ.keys()
    if outer and outer != session.profile and inside:
        app.note(f"inside the session of {outer}: that of {session.profile} wins")


def _cannot_start(word: str, error: OSError) -> int:
    """What shells say and return where a command does not start."""
    missing = isinstance(error, FileNotFoundError)
    to_stderr(f"awslogin: {word}: {'no such command' if missing else error.strerror}")
    return NOT_FOUND if missing else CANNOT_RUN
