"""`list`, `status`, `whoami`, `providers`: what there is."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from broker.arn import account_of
from broker.cli.app import App, command
from broker.cli.completion import profile_argument
from broker.cli.login_options import login_options, tag_pair
from broker.errors import KeychainError
from broker.ports.clock import to_local_text, to_text
from broker.time_left import duration_words

if TYPE_CHECKING:
    from broker.config import Profile
    from broker.login import SessionRequirements


@command("list")
@click.argument("word", required=False)
@click.option("--tag", "tags", metavar="K=V", multiple=True, help="Profiles with this tag.")
def list_(app: App, *, word: str | None, tags: tuple[str, ...]) -> None:
    """Profiles with account, role, tags, age of keys, and how long a session holds; with WORD."""
    wanted = [tag_pair(tag) for tag in tags]
    rows = [
        _row(app, profile) | _key_age(app, profile)
        for profile in app.sound_profiles()
        if all(profile.tags.get(key) == value for key, value in wanted)
    ]
    app.idle_broker.sign_ins.keep()
    if word:
        rows = [row for row in rows if word.lower() in _searched(row)]
    if app.output == "json":
        app.say_json(rows)
    elif not rows and (word or wanted):
        app.say("no profile is like that; `awslogin list` shows all\n")
    else:
        signed_in = _signed_in(app)
        texts = [
            row
            | {
                "tags": _tags(row),
                "key_age": f"{row['key_age_days']}d" if "key_age_days" in row else "",
                "signed_in": signed_in.get(row["profile"], ""),
            }
            for row in _by_account(rows)
        ]
        columns = ["profile", "provider", "type", "account_id", "role", "source", "region"]
        extras = ("tags", "key_age", "signed_in")
        columns += [extra for extra in extras if any(text[extra] for text in texts)]
        app.say_table(columns, _cells(texts, columns))


@command()
def status(app: App) -> None:
    """Cached sessions with the time they have left."""
    from broker.cli.own_config import take_no_config_for_an_empty_one
    from broker.logout import kept_sessions
    from broker.sign_in import serving

    take_no_config_for_an_empty_one(app)
    now = datetime.now(UTC)
    rows, ends, left = [], [], []
    for profile, session in kept_sessions(app.idle_broker):
        fresh = session.is_fresh(now, timedelta(minutes=15))
        until = session.expires_at
        rows.append(
            _row(app, profile)
            | {
                "account_id": session.account_id,
                "expires_at": to_text(until) if until else None,
                "fresh": fresh,
            }
            | _served_by(serving(app.idle_broker, profile))
            | ({"narrowed": list(session.narrowed)} if session.narrowed else {})
        )
        ends.append(to_local_text(until) if until else "")
        left.append(duration_words((until - now).total_seconds()) if until else "")
    app.idle_broker.sign_ins.keep()
    if app.output == "json":
        app.say_json(rows)
        return
    columns = ["profile", "provider", "account_id", "role", "fresh"]
    if any("served_by" in row for row in rows):
        columns.append("served_by")
    if any("narrowed" in row for row in rows):
        columns.insert(1, "narrowed")
    texts = [row | {"narrowed": _narrowed(row.get("narrowed", []))} for row in rows]
    cells = [[*row, *times] for row, *times in zip(_cells(texts, columns), ends, left, strict=True)]
    if rows:
        app.say_table([*columns, "expires_at", "left"], cells)
    else:
        app.say("no cached sessions\n")


@command()
@profile_argument()
@login_options
def whoami(
    app: App, *, profile: str | None, duration: int | None, requirements: SessionRequirements
) -> None:
    """Ask AWS who the session is."""
    chosen = app.profile(profile, duration)
    with app.naming(chosen.name):
        session = app.login.session(chosen, requirements)
        reply = app.broker.aws.caller_identity(session.credentials(), session.region)
    document = {"arn": reply["Arn"], "account_id": reply["Account"], "user_id": reply["UserId"]}
    if app.output == "json":
        app.say_json(document)
    else:
        app.say("".join(f"{name + ':':<12}{value}\n" for name, value in document.items()))


@command()
def providers(app: App) -> None:
    """The kinds of provider that are installed."""
    from broker import registry

    rows = [
        {"type": name, "from": entry.dist.name if entry.dist else "", "class": entry.value}
        for name, entry in sorted(registry.names().items())
    ]
    if app.output == "json":
        app.say_json(rows)
    else:
        app.say_table(("type", "from", "class"), _cells(rows, ("type", "from", "class")))


def _row(app: App, profile: Profile) -> dict[str, Any]:
    provider, type_ = app.idle_broker.sign_ins.provider(profile)
    role_name = (profile.role_arn or "").partition(":role/")[2]
    return {
        "profile": profile.name,
        "provider": provider,
        "type": type_,
        "account_id": profile.account or account_of(profile.role_arn),
        "role": profile.role or role_name or None,
        "source": profile.source.name if profile.source else None,
        "region": profile.region,
        "tags": dict(profile.tags),
    }


def _served_by(region: str | None) -> dict[str, str]:
    """Of a sign-in that several Regions may serve: the one that does."""
    return {"served_by": region} if region else {}


def _by_account(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of an account beside one another, where its first one stands."""
    places: dict[str | None, int] = {}
    for place, row in enumerate(rows):
        places.setdefault(row["account_id"], place)
    return sorted(rows, key=lambda row: places[row["account_id"]])


def _signed_in(app: App) -> dict[str, str]:
    """How long each profile's session still holds, as far as that is known without asking."""
    from broker.cli.unasked import broker_that_asks_nobody
    from broker.logout import kept_sessions

    left: dict[str, str] = {}
    now = datetime.now(UTC)
    with contextlib.suppress(KeychainError):
        for profile, session in kept_sessions(broker_that_asks_nobody(app)):
            if session.expires_at and session.expires_at > now and not session.narrowed:
                left[profile.name] = duration_words((session.expires_at - now).total_seconds())
    return left


def _narrowed(policies: Sequence[str]) -> str:
    """What a session was narrowed to, as short as it can be told."""
    return " ".join(policy.rpartition("/")[2] for policy in policies)


def _tags(row: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in row["tags"].items())


def _searched(row: dict[str, Any]) -> str:
    """What a word is looked for in."""
    values = (row["profile"], row["provider"], row["account_id"], row["role"], _tags(row))
    return " ".join(filter(None, values)).lower()


def _key_age(app: App, profile: Profile) -> dict[str, Any]:
    """Of a profile with keys in the keychain: since when they exist, or are known here."""
    if profile.keys_profile != profile.name:
        return {}
    provider, _ = app.idle_broker.sign_ins.provider(profile)
    noted = app.idle_broker.key_ages.of(provider, profile.name)
    if noted is None:
        return {}
    days = (datetime.now(UTC) - noted.since).days
    return {"key_since": to_text(noted.since), "key_age_days": days}


def _cells(rows: list[dict[str, Any]], columns: Sequence[str]) -> list[list[str]]:
    def cell(value: object) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "" if value is None else str(value)

    return [[cell(row.get(column)) for column in columns] for row in rows]
