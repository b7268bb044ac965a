"""`events`: what was done from this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from broker.cli.app import App, command
from broker.cli.tables import is_coloured
from broker.durations import parse_duration
from broker.events import KINDS, EventLog
from broker.ports.clock import from_text, to_local_text
from broker.terminal_text import one_line

_COLOURS = {"ok": "green", "refused": "red", "failed": "yellow"}


class _Since(click.ParamType[datetime]):
    """`24h` (so long ago), or a date."""

    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment, UTC."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.now(UTC) - timedelta(seconds=parse_duration(value))
        except (ValueError, OverflowError):
            pass
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a duration such as 24h nor a date", param, ctx)


@command()
@click.option("--since", type=_Since(), help="So long ago (24h), or a date.")
@click.option("--profile", help="Of this profile alone.")
@click.option("--what", type=click.Choice(KINDS), help="Of this kind alone.")
def events(app: App, *, since: datetime | None, profile: str | None, what: str | None) -> None:
    """Sign-ins, refusals, rotations and commands from this machine; no secret is among them."""
    found = [
        event
        for event in EventLog(app.environ).read(since)
        if profile in {None, event["profile"]} and what in {None, event["what"]}
    ]
    if app.output == "json":
        app.say_exactly("".join(f"{json.dumps(event)}\n" for event in found))
    elif found:
        app.say_exactly("".join(f"{_line(event)}\n" for event in found))
    else:
        app.note("no events")


def _line(event: Mapping[str, Any]) -> str:
    """An event in a line: when, what, whose, and how it ended."""
    when = to_local_text(from_text(event["at"]), seconds=True)
    outcome = one_line(event["outcome"])
    if event["error_code"]:
        outcome += f" ({one_line(event['error_code'])})"
    if is_coloured() and event["outcome"] in _COLOURS:
        outcome = click.style(outcome, fg=_COLOURS[event["outcome"]])
    who = event["arn"] or event["account_id"] or ""
    before = [when, event["what"], event["profile"], event["command"] or ""]
    return "  ".join(filter(None, [*map(one_line, before), outcome, one_line(who)]))
