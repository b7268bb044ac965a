"""`exec` and `shell`: a command that runs with a session."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from broker.cli.app import App, command, login_options
from broker.cli.completion import profile_argument
from broker.environment import for_child
from broker.errors import UsageError
from broker.provider import KeyHolder
from broker.session import Session

if TYPE_CHECKING:
    from broker.config import Profile
    from broker.login import Wish

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
@click.option("--no-session", is_flag=True, help="A static profile's own keys, without a session.")
@login_options
def exec_(
    app: App,
    *,
    profile: str,
    words: list[str],
    no_session: bool,
    duration: int | None,
    wish: Wish,
) -> int:
    """Run a command with the session: `awslogin exec PROFILE -- CMD…`."""
    if not words:
        raise UsageError("no command after `--`", hint="`awslogin exec PROFILE -- aws s3 ls`")
    chosen = app.profile(profile, duration)
    with app.naming(chosen.name):
        session = _own_keys(app, chosen) if no_session else app.broker.session(chosen, wish)
    return _run(app, words, session)


@command()
@profile_argument()
@login_options
def shell(app: App, *, profile: str | None, duration: int | None, wish: Wish) -> int:
    """Open a sub-shell with the session; `exit` leaves it."""
    chosen = app.profile(profile, duration)
    with app.naming(chosen.name):
        session = app.broker.session(chosen, wish)
    app.note(f"a shell with the session of {chosen.name}; `exit` leaves it")
    default = os.environ.get("COMSPEC", "cmd.exe") if sys.platform == "win32" else "/bin/sh"
    return _run(app, [os.environ.get("SHELL") or default], session)


def _own_keys(app: App, profile: Profile) -> Session:
    """A static profile's own keys, as they lie in the keychain."""
    provider = app.broker.provider(profile)
    if not isinstance(provider, KeyHolder) or profile.first_hop_keys != profile.name:
        raise UsageError(
            f"{profile.name} has no keys of its own", hint="--no-session is for static profiles"
        )
    app.ui.warn(f"{profile.name}'s own long-lived keys are given to the command")
    return app.broker.without_session(profile, provider.user_keys(profile.name))


def _run(app: App, words: list[str], session: Session) -> int:
    """Become the command; on Windows, wait for it."""
    outer = app.environ.get("AWSLOGIN_PROFILE")
    if outer and outer != session.profile and "AWS_ACCESS_KEY_ID" in app.environ:
        app.note(f"inside the session of {outer}: that of {session.profile} wins")
    environ = for_child(session, app.environ)
    if not words[0]:
        return _cannot(NOT_FOUND, "the command's name is empty")
    try:
        if sys.platform == "win32":
            return _wait_for(words, environ)
        _give_signals_back()
        os.execvpe(words[0], words, environ)
    except FileNotFoundError:
        return _cannot(NOT_FOUND, f"{words[0]}: no such command")
    except OSError as error:
        return _cannot(CANNOT_RUN, f"{words[0]}: {error.strerror}")


def _wait_for(words: list[str], environ: dict[str, str]) -> int:
    import subprocess

    with subprocess.Popen(words, env=environ) as child:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                return child.wait()


def _give_signals_back() -> None:
    """Python ignores these at start; a command expects the system's own behaviour."""
    names = ("SIGPIPE", "SIGXFSZ")
    kinds: list[Any] = [getattr(signal, name) for name in names if hasattr(signal, name)]
    for kind in kinds:
        signal.signal(kind, signal.SIG_DFL)


def _cannot(code: int, message: str) -> int:
    print(f"awslogin: {message}", file=sys.stderr)
    return code
