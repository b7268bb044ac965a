"""Rotation: new keys for old ones, so that a kill or a refusal at any line loses none.

The order: note what will be done, create, store beside the old, verify, switch, delete the old,
forget the note. A rerun reads the note and goes on from there, or takes back a key whose secret was
lost on the way. Source: IAM API Reference, CreateAccessKey (a user has two keys at most).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from broker.errors import (
    AwsLoginError,
    ConfigError,
    LoginRefused,
    RoleRefused,
    UsageError,
)
from broker.ports import Ports
from broker.ports.clock import from_text, to_text
from broker.ports.iam_keys import MOST_KEYS, IamKeys, ListedKey, wait_until_known
from broker.provider import Credentials, Request, Rotation
from providers.static.store import KeyStore

SKEW = timedelta(minutes=5)
"""A clock may be off by about this much, else AWS takes no signature."""


def rotate(
    ports: Ports,
    store: KeyStore,
    request: Request,
    signer: Callable[[Credentials], Credentials],
    others: Sequence[str],
    *,
    keep_inactive: bool,
) -> Rotation:
    """Rotate the keys of a profile, or finish a rotation that was stopped.

    Args:
        ports: The way to AWS and the clock.
        store: The keychain entries.
        request: The profile and its region.
        signer: Of a user's keys, what may ask IAM.
        others: Profiles that may hold the same keys: they get the new ones too.
        keep_inactive: Deactivate the old key instead of deleting it.

    Raises:
        UsageError: The user has two keys already.
        AwsLoginError: A step failed. The keychain holds keys that work, and a rerun goes on.
    """
    profile = request.profile
    current = store.require(profile)
    iam = IamKeys(ports.aws, signer(current), request.region)
    keys = iam.listed()
    note, new = store.rotation(profile), store.rotated(profile)
    if new and new.access_key_id not in keys and _is_old(note, ports):
        _forget(store, note, profile)  # somebody deleted it at AWS
        note = new = None
    if note and not new:
        _take_back_what_was_lost(ports, iam, keys, note, current)
        keys = iam.listed()
    if not new:
        _make_room(store, iam, keys, profile)
        note, new = _create(ports, store, iam, keys, (profile, *others))
    old = note["old"] if note else None
    if not note and current.access_key_id != new.access_key_id:
        old = current.access_key_id
    profiles = note["profiles"] if note else [profile]
    for name in profiles:
        if store.rotated(name) != new:
            store.stage(name, new)
    wait_until_known(
        ports.aws, ports.clock, ports.ui, new, request.region, then=f"awslogin rotate {profile}"
    )
    for name in profiles:
        store.put(name, new)
    inactive = old and _retire(iam, store, profile, old, new, keep_inactive=keep_inactive)
    _forget(store, note, profile)
    made = keys.get(new.access_key_id)  # a rerun may come before AWS lists it
    return Rotation(
        access_key_id=new.access_key_id,
        old_access_key_id=old,
        old_is="inactive" if inactive else "deleted",
        created_at=made.created if made else ports.clock.now(),
        profiles=tuple(profiles),
    )


def key_created(ports: Ports, keys: Credentials, region: str) -> datetime | None:
    """When IAM made a key; None where the user may not ask without MFA."""
    try:
        listed = IamKeys(ports.aws, keys, region).listed()
    except RoleRefused:
        return None
    key = listed.get(keys.access_key_id)
    return key.created if key else None


def _forget(store: KeyStore, note: dict[str, Any] | None, profile: str) -> None:
    """The rotation is over; the profile that has the note comes last."""
    for name in note["profiles"] if note else ():
        if name != profile:
            store.end_rotation(name)
    store.end_rotation(profile)


def _is_old(note: dict[str, Any] | None, ports: Ports) -> bool:
    """Whether a rotation began so long ago that ListAccessKeys must show its key by now."""
    return note is None or ports.clock.now() - from_text(note["at"]) > 2 * SKEW


def _take_back_what_was_lost(
    ports: Ports,
    iam: IamKeys,
    keys: dict[str, ListedKey],
    note: dict[str, Any],
    current: Credentials,
) -> None:
    """Delete the key of a rotation that stopped before its secret was stored.

    It is one that was not there before, not made much later, and never used: nobody holds its
    secret.
    """
    at_the_latest = from_text(note["at"]) + 2 * SKEW
    for key_id, key in keys.items():
        ours = key_id not in note["known"] and key_id != current.access_key_id
        if ours and key.created <= at_the_latest and not iam.was_used(key_id):
            iam.delete(key_id)
            ports.ui.progress(f"removed {key_id}, which a rotation that was stopped had left")


def _make_room(store: KeyStore, iam: IamKeys, keys: dict[str, ListedKey], profile: str) -> None:
    """A user has two keys at most: one that our last rotation left inactive goes.

    Raises:
        UsageError: Both are in use, as far as we know.
    """
    if len(keys) < MOST_KEYS:
        return
    parked = store.parked(profile)
    if parked in keys and not keys[parked].active:
        iam.delete(parked)
        store.unpark(profile)
        return
    mine = store.require(profile).access_key_id
    shown = [
        f"{key_id} ({'active' if key.active else 'inactive'}, of {to_text(key.created)[:10]})"
        for key_id, key in keys.items()
        if key_id != mine
    ]
    raise UsageError(
        f"the user has two access keys already, so AWS makes no third: beside {mine} there is"
        f" {' and '.join(shown)}",
        hint="delete the one that nobody uses: `aws iam delete-access-key --access-key-id …`",
    )


def _create(
    ports: Ports, store: KeyStore, iam: IamKeys, keys: dict[str, ListedKey], profiles: Sequence[str]
) -> tuple[dict[str, Any], Credentials]:
    """A new pair, stored beside the old one; where it cannot be stored, taken back at AWS.

    The note names every profile that holds the old pair: each gets the new one. That of an earlier
    rotation stays where there are two keys: AWS may not list yet what was lost then.
    """
    profile = profiles[0]
    earlier = store.rotation(profile)
    old = store.require(profile)
    note = {
        "old": old.access_key_id,
        "known": sorted(keys),
        "at": to_text(ports.clock.now()),
        "profiles": [name for name in profiles if store.keys(name) == old],
    }
    store.begin_rotation(profile, note)
    try:
        new, created = iam.create()
    except (RoleRefused, LoginRefused, ConfigError):
        store.end_rotation(profile)  # AWS said no: there is no new key
        raise
    except UsageError:
        store.begin_rotation(profile, earlier) if earlier else store.end_rotation(profile)
        raise
    except AwsLoginError as error:
        error.hint = f"`awslogin rotate {profile}` again: it takes back a key that was made"
        raise
    try:
        store.stage(profile, new)
    except BaseException:
        iam.delete(new.access_key_id)
        store.end_rotation(profile)
        raise
    keys[new.access_key_id] = ListedKey(True, created or ports.clock.now())
    return note, new


def _retire(
    iam: IamKeys,
    store: KeyStore,
    profile: str,
    old: str,
    new: Credentials,
    *,
    keep_inactive: bool,
) -> bool:
    """Delete or deactivate the old key, listed or not; whether it is there, inactive.

    Raises:
        AwsLoginError: It stays; the new one is stored and works all the same.
    """
    try:
        if keep_inactive and iam.deactivate(old):
            store.park(profile, old)
            return True
        if not keep_inactive:
            iam.delete(old)
    except AwsLoginError as error:
        error.message = (
            f"the new key {new.access_key_id} is stored and works, but the old one {old} is still"
            f" active: {error.message}"
        )
        error.hint = f"{error.hint}; then `awslogin rotate {profile}` finishes".lstrip("; ")
        raise
    return False
