"""`serve`: sessions for programs that are not our children, at an address of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import click

from broker.cli.app import App, command
from broker.cli.completion import profile_argument
from broker.cli.confirming import is_confirmed
from broker.cli.login_options import Duration, login_options
from broker.cli.narrowing import Narrowing, narrowing_options, served_for
from broker.errors import AwsLoginError, UsageError

if TYPE_CHECKING:
    from broker.agent.endpoint import CredentialsEndpoint
    from broker.config import Profile
    from broker.fresh import FreshSession
    from broker.login import SessionRequirements

FORMATS = ("text", "json", "env", "fish", "powershell", "cmd", "dotenv")
LOOK_SECONDS = 5.0
"""Between two looks at the clock, which goes on while the machine sleeps."""


@command(formats=FORMATS)
@profile_argument("profiles", nargs=-1, required=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="A fixed port.")
@click.option("--for", "life", type=Duration(), help="End after this long: 8h.")
@narrowing_options
@login_options
def serve(
    app: App,
    *,
    profiles: tuple[str, ...],
    port: int,
    life: int | None,
    narrowing: Narrowing,
    duration: int | None,
    requirements: SessionRequirements,
) -> None:
    """Serve sessions, renewed, to programs of yours: `awslogin serve prod --output json`."""
    from broker.agent.endpoint import CredentialsEndpoint

    if len(profiles) > 1 and app.output not in {"text", "json"}:
        raise UsageError(
            f"--output {app.output} takes one profile", hint="several are printed as text or json"
        )
    end = time.time() + life if life else None
    wanted = [app.profile(name, duration) for name in profiles]
    few = served_for(duration)
    chosen = {profile.name: narrowing.of(app, profile, served_for=few) for profile in wanted}
    sessions: dict[str, FreshSession] = {}
    sources = {_path(name): lambda name=name: _credentials(sessions[name]) for name in chosen}
    endpoint = CredentialsEndpoint(sources, port)  # before anybody signs in: the port may be taken
    sessions |= _sessions(app, list(chosen.values()), requirements)
    if app.output == "text":
        app.note("Ctrl-C ends it; --output env, json and their like print the token too")
    app.ui.leave_alone()
    over = _end_signals()  # not before: a sign-in that is waited for is ended as any command is
    with contextlib.ExitStack() as running:
        running.enter_context(endpoint)
        for fresh in sessions.values():
            running.enter_context(fresh)
        app.say_exactly(_printed(app, list(chosen.values()), sessions, endpoint))
        while not over.is_set() and not (end and time.time() >= end):
            over.wait(min(LOOK_SECONDS, end - time.time()) if end else LOOK_SECONDS)


def _sessions(
    app: App, profiles: list[Profile], requirements: SessionRequirements
) -> dict[str, FreshSession]:
    """A session of each profile, which renews itself.

    Raises:
        AwsLoginError: One of them cannot be had; its profile is named.
    """
    from broker.fresh import FreshSession

    for profile in profiles:
        with app.naming(profile.name):
            is_confirmed(app, profile)
    found: dict[str, FreshSession] = {}
    outcomes = app.login.sessions(profiles, requirements)
    for profile in profiles:
        session = outcomes[profile.name]
        if isinstance(session, AwsLoginError):
            raise session
        found[profile.name] = FreshSession(app.login, profile, requirements, session, ui=app.ui)
    return found


def _path(profile: str) -> str:
    return f"/credentials/{profile}"


def _credentials(session: FreshSession) -> bytes:
    from broker import render

    return render.container(session.current())


def _printed(
    app: App,
    profiles: list[Profile],
    sessions: dict[str, FreshSession],
    endpoint: CredentialsEndpoint,
) -> str:
    """Where each profile's session is had; in text without the tokens."""
    import json

    from broker import render

    served = {profile.name: endpoint.environ(_path(profile.name)) for profile in profiles}
    if app.output == "json":
        rows = [
            {
                "profile": profile.name,
                "uri": served[profile.name]["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
                "authorization_token": served[profile.name]["AWS_CONTAINER_AUTHORIZATION_TOKEN"],
                "region": profile.region,
                **({"narrowed": list(profile.narrowed)} if profile.narrowed else {}),
            }
            for profile in profiles
        ]
        document = {"port": endpoint.port, "pid": os.getpid(), "profiles": rows}
        return json.dumps(document, indent=2) + "\n"
    if app.output == "text":
        return "".join(
            f"{profile.name}: {'narrowed, ' if profile.narrowed else ''}served at"
            f" {served[profile.name]['AWS_CONTAINER_CREDENTIALS_FULL_URI']}\n"
            for profile in profiles
        )
    (name,) = served
    return render.served(sessions[name].current(), served[name], app.output)


def _end_signals() -> threading.Event:
    """Set by SIGTERM and hang-up, where whoever started us has not had them ignored."""
    over = threading.Event()
    for number in (signal.SIGTERM, *(() if sys.platform == "win32" else (signal.SIGHUP,))):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: over.set())
    return over
