"""`add`, `remove`, `rotate`: a static profile's keys in the keychain; a TOTP seed of any."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import click

from broker import user_keys
from broker.cli.app import App, Duration, command
from broker.cli.completion import profile_argument
from broker.cli.report import report
from broker.errors import AwsLoginError, UsageError, worst
from broker.key_ages import KeyAge
from broker.logout import forget_keys_of
from broker.provider import KeyHolder
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.config import Profile

_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
_SECRET = re.compile(r"[!-~]{16,128}")
_MAX_INPUT = 65536
_SHORTEST_SEED = 10
"""Bytes; RFC 4226 asks for 16, some devices' own seeds have ten."""


@command()
@profile_argument(required=True)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from stdin instead of asking.")
@click.option("--totp", is_flag=True, help="The seed of the MFA device instead of keys.")
def add(app: App, *, profile: str, from_stdin: bool, totp: bool) -> None:
    """Put a static profile's keys into the keychain.

    --stdin reads {"AccessKeyId": "…", "SecretAccessKey": "…"}. With --totp it is the seed of the
    MFA device (base32, or an otpauth:// address), and codes are made of it from then on.
    """
    chosen = app.profile(profile)
    if totp:
        _add_seed(app, chosen, from_stdin=from_stdin)
        return
    holder = holder_of(app, chosen)
    key_id, secret = _from_stdin() if from_stdin else _asked(app)
    keep(app, chosen, holder, key_id, secret)
    _done(app, chosen, "keys stored", access_key_id=key_id)


@command()
@profile_argument(required=True)
def remove(app: App, *, profile: str) -> None:
    """Remove a static profile's keys and seed from the keychain, and its sessions."""
    chosen = app.profile(profile)
    holder = holder_of(app, chosen)
    removed = holder.forget_keys(chosen.name)
    app.broker.key_ages.forget(holder.name, chosen.name)
    forget_keys_of(app.broker, chosen)
    if not removed:
        raise UsageError(f"the keychain holds no keys for {chosen.name}", hint="`awslogin list`")
    _done(app, chosen, "keys removed")


@command()
@profile_argument()
@click.option("--all", "every", is_flag=True, help="Every profile that has keys.")
@click.option("--older-than", type=Duration(), metavar="AGE", help="Only keys of this age: 90d.")
@click.option("--keep-inactive", is_flag=True, help="Deactivate the old key, do not delete it.")
def rotate(
    app: App, *, profile: str | None, every: bool, older_than: int | None, keep_inactive: bool
) -> int | None:
    """Replace a static profile's keys by new ones, at AWS and in the keychain.

    Where it was stopped, it goes on: run it again.
    """
    if every and profile:
        raise UsageError("--all takes no profile")
    if not every:
        chosen = app.profile(profile)
        document = _rotated(app, chosen, older_than, keep_inactive=keep_inactive)
        app.say_json(document) if app.output == "json" else app.say(_told(document))
        return None
    return _rotate_all(app, older_than, keep_inactive=keep_inactive)


def _rotate_all(app: App, older_than: int | None, *, keep_inactive: bool) -> int:
    """Every profile's keys, those that several share once; the exit code of the worst failure."""
    documents: list[dict[str, Any]] = []
    failures: list[AwsLoginError] = []
    done: set[str] = set()
    for name in user_keys.key_profiles(app.config):
        chosen = app.config.profile(name)
        if name in done or not holder_of(app, chosen).held_keys(name):
            continue
        try:
            document = _rotated(app, chosen, older_than, keep_inactive=keep_inactive)
        except AwsLoginError as error:
            error.profile = name
            failures.append(error)
            continue
        documents.append(document)
        done |= set(document["profiles"])
    if app.output == "json":
        app.say_json(documents)
    else:
        app.say("".join(_told(document) for document in documents) or "no keys to rotate\n")
    for failure in failures:
        report(failure, machine=app.output == "json")
    return worst(failures) if failures else 0


def _rotated(
    app: App, profile: Profile, older_than: int | None, *, keep_inactive: bool
) -> dict[str, Any]:
    """Rotate, or leave keys that are younger, and say what was done."""
    holder = holder_of(app, profile)
    with app.naming(profile.name):
        if older_than and not _is_older(app, profile, holder, timedelta(seconds=older_than)):
            return {"profile": profile.name, "done": "unchanged", "profiles": [profile.name]}
        done = user_keys.rotate(app.broker, profile, holder, keep_inactive=keep_inactive)
    return {
        "profile": profile.name,
        "done": "rotated",
        "access_key_id": done.access_key_id,
        "old_access_key_id": done.old_access_key_id,
        "old": done.old_is,
        "profiles": list(done.profiles),
    }


def _told(document: dict[str, Any]) -> str:
    profile = document["profile"]
    if document["done"] == "unchanged":
        return f"{profile}: not old enough, nothing changed\n"
    others = [name for name in document["profiles"] if name != profile]
    shared = f" (also for {', '.join(others)})" if others else ""
    old = document["old_access_key_id"]
    gone = f", {old} {'left inactive' if document['old'] == 'inactive' else 'deleted'}"
    return f"{profile}: {document['access_key_id']} stored{shared}{gone if old else ''}\n"


def _is_older(app: App, profile: Profile, holder: KeyHolder, age: timedelta) -> bool:
    """Whether the keys have this age: by what is noted here, else by AWS's word.

    Keys that were added here may be older than that, so AWS is asked; where it does not say,
    the day they were added counts.
    """
    noted = app.broker.key_ages.of(holder.name, profile.name)
    now = datetime.now(UTC)
    if noted and (noted.exact or now - noted.since >= age):
        return now - noted.since >= age
    created = holder.key_created(profile.request())
    if created:
        app.broker.key_ages.note(holder.name, profile.name, KeyAge(created, exact=True))
        return now - created >= age
    if noted is None:
        raise UsageError(
            f"nobody knows how old the keys of {profile.name} are",
            hint="allow iam:ListAccessKeys, or rotate it without --older-than",
        )
    return False


def keep(app: App, profile: Profile, holder: KeyHolder, key_id: str, secret: Secret) -> None:
    """Store keys, note their age, and forget what was made with those before."""
    holder.store_keys(profile.name, key_id, secret)
    app.broker.key_ages.note(holder.name, profile.name, KeyAge(datetime.now(UTC), exact=False))
    forget_keys_of(app.broker, profile)


def _add_seed(app: App, profile: Profile, *, from_stdin: bool) -> None:
    with app.naming(profile.name):
        provider = app.broker.plugins.provider_of(profile)
        entry = provider.totp_entry(profile.request())
    if entry is None:
        raise UsageError(
            f"{profile.name} signs in through {provider.name}, which takes no seed from here"
        )
    text = sys.stdin.read(_MAX_INPUT) if from_stdin else app.ui.ask("TOTP seed", secret=True)
    provider.ports.secrets.set(entry, _seed(text))
    _done(app, profile, "seed stored")


def _seed(text: str) -> Secret:
    """The seed of a text: base32 with or without spaces, an otpauth:// address, or JSON.

    Raises:
        UsageError: It is none, or one of codes that AWS does not take.
    """
    text = text.strip()
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["TotpSeed"]
    if text.startswith("otpauth:"):
        query = dict(parse_qsl(urlsplit(text).query))
        usual = {"algorithm": "SHA1", "digits": "6", "period": "30"}
        if any(query.get(name, value).upper() != value for name, value in usual.items()):
            raise UsageError("AWS takes codes of SHA1, six digits and 30 seconds alone")
        text = query.get("secret", "")
    seed = re.sub(r"[\s-]", "", text).upper().rstrip("=")
    try:
        long_enough = len(base64.b32decode(seed + "=" * (-len(seed) % 8))) >= _SHORTEST_SEED
    except binascii.Error:
        long_enough = False
    if not long_enough:
        raise UsageError(
            "that is no TOTP seed", hint="it is base32, or an otpauth:// address from the QR code"
        )
    return Secret(seed)


def holder_of(app: App, profile: Profile) -> KeyHolder:
    """The provider that keeps this profile's keys.

    Raises:
        UsageError: The profile has no keys of its own.
    """
    with app.naming(profile.name):
        provider = app.broker.plugins.provider_of(profile)
    if isinstance(provider, KeyHolder) and profile.keys_profile == profile.name:
        return provider
    owner = profile.keys_profile
    raise UsageError(
        f"{profile.name} has no keys of its own: "
        + (f"it uses those of {owner}" if owner else f"it signs in through {provider.name}"),
        hint=f"`awslogin add {owner}`" if owner else "keys belong to profiles of a static provider",
    )


def _from_stdin() -> tuple[str, Secret]:
    """`{"AccessKeyId": …, "SecretAccessKey": …}`; errors never repeat what was read."""
    text = sys.stdin.read(_MAX_INPUT)
    try:
        document = json.loads(text)
        key_id, secret = document["AccessKeyId"], document["SecretAccessKey"]
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            "stdin holds no keys", hint='give {"AccessKeyId": "…", "SecretAccessKey": "…"}'
        ) from None
    return checked(key_id, secret)


def _asked(app: App) -> tuple[str, Secret]:
    key_id = app.ui.ask("Access key id")
    return checked(key_id, app.ui.ask("Secret access key", secret=True))


def checked(key_id: object, secret: object) -> tuple[str, Secret]:
    """A user's own keys, as far as their form tells.

    Raises:
        UsageError: They are none; it does not repeat them.
    """
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise UsageError("that is no access key id", hint="it looks like AKIAIOSFODNN7EXAMPLE")
    if key_id.startswith("ASIA"):
        raise UsageError(
            "that is a temporary session's key (ASIA…)", hint="add the user's own AKIA… key"
        )
    if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
        raise UsageError("that is no secret access key", hint="copy it whole, without spaces")
    return key_id, Secret(secret)


def _done(app: App, profile: Profile, what: str, **more: str) -> None:
    if app.output == "json":
        app.say_json({"profile": profile.name, "done": what, **more})
    else:
        app.say(f"{profile.name}: {what}\n")
