"""`agent`: start, stop, status, lock."""

from __future__ import annotations

import click

from broker.agent.client import AgentClient
from broker.cli.app import App, command
from broker.errors import KeychainError, UsageError
from broker.settings import settings
from broker.terminal_text import counted


@click.group()
def agent() -> None:
    """Unlocked sessions in memory, for every command that asks."""


@command(group=agent)
def start(app: App) -> None:
    """Start it, where there is none."""
    if not settings(app.environ).agent:
        raise UsageError(
            "your settings say `agent: off`", hint="set `agent: auto` in settings.yaml"
        )
    if not AgentClient(app.environ).start():
        raise KeychainError(
            "the agent does not start",
            hint="the folder that `awslogin agent status` names must be yours alone (mode 0700)",
        )
    _show(app)


@command(group=agent)
def status(app: App) -> None:
    """Whether it runs, and how many sessions it holds."""
    settings(app.environ)
    _show(app)


@command(group=agent)
def lock(app: App) -> None:
    """Wipe the sessions and the unlocked keys that it holds, at once."""
    AgentClient(app.environ).lock()
    _show(app)


@command(group=agent)
def stop(app: App) -> None:
    """End it; what it holds is wiped."""
    _show(app, "stopped" if AgentClient(app.environ).stop() else "not running")


def _show(app: App, otherwise: str = "not running") -> None:
    document = AgentClient(app.environ).status()
    if app.output == "json":
        app.say_json(document)
    elif document["running"]:
        held = counted(int(str(document["sessions"])), "session")
        app.say(f"running as process {document['pid']}, {held}\n")
    else:
        app.say(f"{otherwise}\n")
