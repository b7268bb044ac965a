"""`explain`: where a profile's values come from, which provider would run, the cached session."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from typing import Any

from broker.cli.app import App, command
from broker.cli.completion import profile_argument
from broker.cli.config import profile_values
from broker.cli.next_step import session_state
from broker.cli.unasked import broker_that_asks_nobody
from broker.config import Origin, Profile
from broker.errors import AwsLoginError
from broker.ports.clock import to_local_text, to_text


@command()
@profile_argument()
def explain(app: App, *, profile: str | None) -> None:
    """Show which file and line set each value, and which provider would run."""
    chosen = app.profile(profile)
    values = _values(app, chosen)
    candidates = _candidates(app, chosen)
    state = session_state(app, chosen)
    served_by = _served_by(app, chosen)
    until = to_text(state.fresh_until) if state.fresh_until else None
    if app.output == "json":
        app.say_json(
            {
                "profile": chosen.name,
                "file": str(app.config.path),
                "trusted": app.config.trusted,
                "values": values,
                "candidates": candidates,
                "cache": {
                    "file": str(state.file) if state.file else None,
                    "agent": state.in_agent,
                    "fresh_until": until,
                },
                "steps": [
                    asdict(step) | {"fresh_until": step.fresh_until and to_text(step.fresh_until)}
                    for step in state.steps
                ],
                "served_by": served_by,
                "next": state.next_step,
            }
        )
        return
    trusted = "" if app.config.trusted else " (not trusted: `awslogin config trust`)"
    app.say(f"{chosen.name}, from {app.config.path}{trusted}\n")
    shown = {name: value for name, value in values.items() if app.verbose or _says(value)}
    width = max(len(name) for name in shown)
    for name, value in shown.items():
        app.say(f"  {name.ljust(width)}  {_word(value['value'])}  [{_where(value)}]\n")
    app.say("providers, the first that can work here runs:\n")
    for candidate in candidates:
        mark = "→" if candidate["chosen"] else " "
        app.say(f"{mark} {candidate['provider']} ({candidate['type']}): {candidate['reason']}\n")
    if served_by:
        app.say(f"sign-in: {served_by} serves\n")
    if state.file:
        held = f"fresh until {to_local_text(state.fresh_until)}" if state.fresh_until else "kept"
        agent = "; the agent holds it too" if state.in_agent else ""
        app.say(f"session: {held}  [{state.file}{agent}]\n")
    app.say("steps to a session, → those that a login would take now:\n")
    for step in state.steps:
        fresh = f", fresh until {to_local_text(step.fresh_until)}" if step.fresh_until else ""
        app.say(f"{'→' if step.runs else ' '} {step.profile}: {step.what}{fresh}\n")
    app.say(f"next: {state.next_step}\n")


def _values(app: App, profile: Profile) -> dict[str, dict[str, Any]]:
    """Each value with its origin: the profile's, then those of its providers' options."""
    shown = profile_values(profile)
    found = {
        name: _value(value, profile.origins.get(name, Origin()))
        for name, value in shown.items()
        if name != "profile" and (value or name in {"duration", "region"})
    }
    if "role_arn" in found and found["role_arn"]["line"] is None and profile.role:
        found["role_arn"] = _value(profile.role_arn, profile.origins["role"])
    for name in profile.root.provider_names:
        spec = app.config.provider(name)
        for key, value in spec.options.model_dump(mode="json").items():
            found[f"{name}.{key}"] = _value(value, spec.origins.get(key, Origin()))
    return found


def _candidates(app: App, profile: Profile) -> list[dict[str, Any]]:
    """The providers in the profile's order, and why each can or cannot work here."""
    rows: list[dict[str, Any]] = []
    names = profile.root.provider_names
    for name in names:
        spec = app.config.provider(name)
        reason = spec.plugin.cannot_work_here(spec.options, app.environ)
        taken = (reason is None or len(names) == 1) and not any(row["chosen"] for row in rows)
        why = reason or ("the only one" if len(names) == 1 else "can work here")
        if reason is None and not taken:
            why = "can work here, but one before it is taken"
        rows.append(
            {
                "provider": name,
                "type": spec.type,
                "available": reason is None,
                "reason": why,
                "chosen": taken,
            }
        )
    return rows


def _served_by(app: App, profile: Profile) -> str | None:
    """Of a sign-in that several Regions may serve, the one that does; None before any did."""
    from broker.sign_in import serving

    with contextlib.suppress(AwsLoginError):  # none can work here, or the keychain is locked
        return serving(broker_that_asks_nobody(app), profile)
    return None


def _value(value: object, origin: Origin) -> dict[str, Any]:
    return {"value": value, "file": origin.file, "line": origin.line}


def _where(value: dict[str, Any]) -> str:
    if value["file"] is None:
        return "default"
    return value["file"] if value["line"] is None else f"{value['file']}:{value['line']}"


def _says(value: dict[str, Any]) -> bool:
    """Whether a value is worth a line: defaults that are nothing are told by `--verbose` alone."""
    return value["file"] is not None or value["value"] not in (None, [], {}, "")


def _word(value: object) -> str:
    if isinstance(value, dict):
        value = {name: inner for name, inner in value.items() if inner is not None}
    return value if isinstance(value, str) else json.dumps(value)
