"""`add`, `remove`: a static profile's keys in the keychain."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import click

from broker.cli.app import App, command
from broker.cli.completion import profile_argument
from broker.errors import UsageError
from broker.provider import KeyHolder
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.config import Profile

_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
_SECRET = re.compile(r"[!-~]{16,128}")
_MAX_INPUT = 65536


@command()
@profile_argument(required=True)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read JSON from stdin instead of asking.")
def add(app: App, *, profile: str, from_stdin: bool) -> None:
    """Put a static profile's keys into the keychain."""
    chosen = app.profile(profile)
    holder = _holder(app, chosen)
    key_id, secret = _from_stdin() if from_stdin else _asked(app)
    holder.store_keys(chosen.name, key_id, secret)
    app.broker.forget(chosen)
    _done(app, chosen, "keys stored", access_key_id=key_id)


@command()
@profile_argument(required=True)
def remove(app: App, *, profile: str) -> None:
    """Remove a static profile's keys from the keychain, and its sessions."""
    chosen = app.profile(profile)
    removed = _holder(app, chosen).forget_keys(chosen.name)
    app.broker.forget(chosen)
    if not removed:
        raise UsageError(f"the keychain holds no keys for {chosen.name}", hint="`awslogin list`")
    _done(app, chosen, "keys removed")


def _holder(app: App, profile: Profile) -> KeyHolder:
    """The provider that keeps this profile's keys.

    Raises:
        UsageError: The profile has no keys of its own.
    """
    with app.naming(profile.name):
        provider = app.broker.provider(profile)
    if isinstance(provider, KeyHolder) and profile.first_hop_keys == profile.name:
        return provider
    owner = profile.first_hop_keys
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
    return _checked(key_id, secret)


def _asked(app: App) -> tuple[str, Secret]:
    key_id = app.ui.ask("Access key id")
    return _checked(key_id, app.ui.ask("Secret access key", secret=True))


def _checked(key_id: object, secret: object) -> tuple[str, Secret]:
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
