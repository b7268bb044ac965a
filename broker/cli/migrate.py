"""`migrate`: a profile leaves its static keys behind, one step a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from broker import user_keys
from broker.aws_files import write_back
from broker.cli.app import App, command
from broker.cli.change import agreed, diff
from broker.cli.completion import profile_argument
from broker.cli.report import report
from broker.errors import AwsLoginError, UsageError, worst

if TYPE_CHECKING:
    from broker.broker import Broker
    from broker.migration.plan import Plan, Target
    from broker.migration.record import Migration
    from broker.migration.steps import Steps, Taken

QUIET_DAYS = 7.0


@dataclass(frozen=True)
class _Chosen:
    """The options of one command."""

    target: Target | None
    quiet_days: float | None
    undo: bool
    unwatched: bool
    yes: bool


@command()
@profile_argument()
@click.option("--to", metavar="PROVIDER", help="The provider that signs in from then on.")
@click.option("--account", metavar="ID", help="The account; by default that of the profile.")
@click.option("--role", metavar="ROLE", help="The role; by default the only one that there is.")
@click.option(
    "--quiet-days", type=click.FloatRange(min=0), help="Days that each wait lasts (7 by default)."
)
@click.option("--all", "every", is_flag=True, help="Every profile that holds keys; a plan first.")
@click.option("--undo", is_flag=True, help="Go back, as far as AWS lets it.")
@click.option(
    "--unwatched", is_flag=True, help="Go on too where AWS cannot say whether the key was used."
)
@click.option("--status", is_flag=True, help="Show where all profiles are, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def migrate(
    app: App,
    *,
    profile: str | None,
    to: str | None,
    account: str | None,
    role: str | None,
    quiet_days: float | None,
    every: bool,
    undo: bool,
    unwatched: bool,
    status: bool,
    yes: bool,
) -> int | None:
    """Leave static keys behind: each run takes the next step, or says what it waits for.

    The first run proves that the new provider reaches the account and changes the config. After
    --quiet-days without a use the next one deactivates the key, and after as long again one more
    deletes it.
    """
    from broker.migration.plan import Target

    if (every or status) and profile:
        raise UsageError(f"{'--all' if every else '--status'} takes no profile")
    if status:
        _show_status(app)
        return None
    options = _Chosen(Target(to, account, role) if to else None, quiet_days, undo, unwatched, yes)
    if every:
        return _migrate_all(app, options)
    chosen = app.profile(profile).name
    with app.naming(chosen):
        document = _one_step(app, chosen, options)
    app.say_json(document) if app.output == "json" else app.say(_as_text(document))
    return None


def _migrate_all(app: App, options: _Chosen) -> int:
    """Every profile that holds keys or is on its way; the plan is agreed to once."""
    records = _steps(app, app.broker).records
    names = [
        profile.name
        for profile in app.sound_profiles()
        if records.of(profile.name) or (not options.undo and _holds_keys(app, profile.name))
    ]
    lines = [_intention(name, records.of(name), options) for name in names]
    if not names or not agreed(app, "\n".join(lines), yes=options.yes):
        app.say_json([]) if app.output == "json" else app.say("nothing to do\n")
        return 0
    for line in lines:
        app.note(line)
    documents: list[dict[str, Any]] = []
    failures: list[AwsLoginError] = []
    for name in names:
        try:
            documents.append(_one_step(app, name, replace(options, yes=True)))
        except AwsLoginError as error:
            error.profile = name
            failures.append(error)
    if app.output == "json":
        app.say_json(documents)
    else:
        app.say("".join(map(_as_text, documents)))
    for failure in failures:
        report(failure, machine=app.output == "json")
    return worst(failures) if failures else 0


def _holds_keys(app: App, name: str) -> bool:
    """Whether the keychain holds keys of the profile, by its provider or left behind."""
    from broker.migration.plan import key_holder

    if app.config.profile(name).keys_profile != name:
        return _keys_left_at(app, name) is not None
    return key_holder(app.broker, app.config.profile(name)).held_keys(name) is not None


def _keys_left_at(app: App, name: str) -> str | None:
    """The static provider by which keys were stored for a profile that names it no more, or None.

    The notes of when keys were stored say so: no keychain is opened.
    """
    noted = app.idle_broker.key_ages
    return next(
        (provider for provider in app.config.provider_names if noted.of(provider, name)), None
    )


def _intention(name: str, record: Migration | None, options: _Chosen) -> str:
    if options.undo:
        return f"{name}: {'back to static keys' if record else 'nothing'}"
    if record:
        return f"{name}: {record.next or 'done'}"
    target = options.target.provider if options.target else "(name --to)"
    return f"{name}: from static keys to {target}"


def _one_step(app: App, name: str, options: _Chosen) -> dict[str, Any]:
    """One step of one profile, under its lock, on the config as it is now."""
    broker = _broker_of_now(app)
    steps = _steps(app, broker)
    with steps.records.alone(name):
        record = steps.records.of(name)
        if record and record.stage == "deleted" and name in user_keys.key_profiles(broker.config):
            record = None  # it has got keys again
        if options.undo:
            return _undone(app, steps, name, record, yes=options.yes)
        if record is None:
            return _first_step(app, steps, broker, name, options)
        target = options.target
        if target and target.provider != record.to and record.stage != "deleted":
            raise UsageError(
                f"{name} is on its way to {record.to}",
                hint=f"`awslogin migrate {name} --undo` first",
            )
        if not _may(app, f"{name}: {record.next}", record, broker, yes=options.yes):
            return {**record.to_json(), "done": "unchanged"}
        return _document(steps.go_on(record, unwatched=options.unwatched))


def _first_step(
    app: App, steps: Steps, broker: Broker, name: str, options: _Chosen
) -> dict[str, Any]:
    """Prove, show, ask, switch."""
    from broker.migration.plan import key_holder, planned, taken_up

    profile = broker.config.profile(name)
    days = QUIET_DAYS if options.quiet_days is None else options.quiet_days
    plan = taken_up(broker, profile, quiet_days=days)
    if plan is None and options.target is None:
        key_holder(broker, profile)
        raise UsageError("to which provider?", hint=f"`awslogin migrate {name} --to PROVIDER`")
    if plan is None and options.target:
        plan = planned(broker, app.environ, profile, options.target, quiet_days=days)
    assert plan
    change = diff(broker.config.path, broker.config.content, plan.content)
    about = "\n".join([change.rstrip(), *_proof(plan)])
    if not agreed(app, about, yes=options.yes):
        return {**plan.migration.to_json(), "stage": None, "done": "unchanged"}
    for line in _proof(plan) if options.yes or not app.ui.interactive else ():
        app.note(line)
    return {**_document(steps.begin(plan)), "arn": plan.arn, "remarks": list(plan.remarks)}


def _undone(
    app: App, steps: Steps, name: str, record: Migration | None, *, yes: bool
) -> dict[str, Any]:
    if record is None:
        raise UsageError(f"{name} is not on its way", hint="`awslogin migrate --status`")
    config = _broker_of_now(app).config
    if record.stage != "deleted":
        change = diff(config.path, config.content, steps.undone(record))
        if not agreed(app, change, yes=yes):
            return {**record.to_json(), "done": "unchanged"}
    return _document(steps.undo(record))


def _may(app: App, step: str, record: Migration, broker: Broker, *, yes: bool) -> bool:
    """Whether a step that is due may be taken: on a terminal the person says so."""
    is_due = record.stage in {"switched", "deactivated"} and (
        broker.clock.now() >= record.next_step_at
    )
    if not is_due or yes or not app.ui.interactive:
        return True
    return app.ui.confirm("Take this step, unless the key was used?", about=step)


def _proof(plan: Plan) -> list[str]:
    return [f"{plan.migration.to} leads to {plan.arn}", *plan.remarks]


def _document(taken: Taken) -> dict[str, Any]:
    over = {"stage": None, "next": None} if taken.did == "undone" else {}
    return {**taken.migration.to_json(), **over, "done": taken.did, "why": taken.why}


def _as_text(document: dict[str, Any]) -> str:
    name, key = document["profile"], document["next"]
    done = {
        "switched": f"signs in by {document['to']} now; the key stays active, its use is watched",
        "deactivated": "the key is inactive",
        "deleted": "the key is deleted, at AWS and in the keychain",
        "waits": f"waits: {document.get('why')}",
        "done": "done: the key is deleted",
        "undone": f"signs in with the keys of {document['from']} again",
        "unchanged": "unchanged",
    }[document["done"]]
    return f"{name}: {done}{f'; next: {key}' if key else ''}\n"


def _show_status(app: App) -> None:
    records = _steps(app, app.idle_broker).records
    holders = set(user_keys.key_profiles(app.config))
    rows: list[dict[str, Any]] = []
    for name in app.config.names:
        record = records.of(name)
        if record:
            rows.append(record.to_json())
            continue
        left = None if name in holders else _keys_left_at(app, name)
        has_keys = name in holders or left is not None
        own = app.config.profile(name).provider_names if name in holders else ()
        source = left or (own[-1] if own else None)
        rows.append(
            {
                "profile": name,
                "from": source,
                "to": None,
                "stage": "static" if has_keys else "keyless",
                "since": None,
                "next": _begin(name, left) if has_keys else None,
                "key_last_used": None,
            }
        )
    if app.output == "json":
        app.say_json(rows)
        return
    columns = ("profile", "from", "to", "stage", "since", "next", "key_last_used")
    app.say_table(columns, [[str(row[column] or "") for column in columns] for row in rows])


def _begin(name: str, left: str | None) -> str:
    return f"awslogin migrate {name}{'' if left else ' --to PROVIDER'}"


def _steps(app: App, broker: Broker) -> Steps:
    from broker.migration.steps import Steps

    return Steps(broker, app.environ, write_back)


def _broker_of_now(app: App) -> Broker:
    """The broker of the config as the file is now: a step before may have changed it."""
    from broker.broker import Broker
    from broker.config.document import parse
    from broker.config.loading import of_document

    config = app.broker.config
    content = config.path.read_bytes()
    if content == config.content:
        return app.broker
    document = parse(content, str(config.path))
    return Broker(of_document(document, config.path, app.environ, content), app.ui, app.environ)
