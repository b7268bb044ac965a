"""Rotation: new keys for old ones, so that a kill or a refusal at any line loses none.

The order: note what will be done, create, store beside the old, verify, switch, delete the old,
forget the note. A rerun reads the note and goes on from there, or takes back a key whose secret was
lost on the way. Source: IAM API Reference, CreateAccessKey (a user has two keys at most).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from broker.errors import (
    AwsLoginError,
    ConfigError,
    LoginRefused,
    NetworkError,
    RoleRefused,
    UsageError,
)
from broker.ports import Ports
from broker.ports.clock import from_text, to_text
from broker.provider import Credentials, Request, Rotation
from broker.secret import Secret
from providers.static.store import KeyStore

MOST_KEYS = 2
PATIENCE = 90
"""Seconds until a new key must work: AWS takes some to make it known everywhere."""
PAUSES = (1, 1, 2, 3, 5)
"""Seconds between tries; the last one repeats."""
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
    iam = _Iam(ports, signer(current), request.region)
    keys = iam.keys()
    note, new = store.rotation(profile), store.rotated(profile)
    if new and new.access_key_id not in keys and _is_old(note, ports):
        _forget(store, note, profile)  # somebody deleted it at AWS
        note = new = None
    if note and not new:
        _take_back_what_was_lost(ports, iam, keys, note, current)
        keys = iam.keys()
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
    _verify(ports, new, request)
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
        listed = _Iam(ports, keys, region).keys()
    except RoleRefused:
        return None
    key = listed.get(keys.access_key_id)
    return key.created if key else None


@dataclass(frozen=True)
class _Key:
    """One access key as ListAccessKeys shows it."""

    active: bool
    created: datetime


class _Iam:
    """The calls to IAM, for the signing user's own keys."""

    def __init__(self, ports: Ports, signer: Credentials, region: str) -> None:
        self._aws = ports.aws
        self._signer = signer
        self._region = region

    def keys(self) -> dict[str, _Key]:
        """ListAccessKeys, by id."""
        with self._asking("ListAccessKeys"):
            listed = self._client().list_access_keys()["AccessKeyMetadata"]
            return {
                key["AccessKeyId"]: _Key(key.get("Status") != "Inactive", key["CreateDate"])
                for key in listed
            }

    def create(self) -> tuple[Credentials, datetime | None]:
        """CreateAccessKey, never repeated: the new pair, and when it was made.

        Raises:
            UsageError: The user has two keys, though ListAccessKeys did not show both.
        """
        client = self._client(once=True)
        with self._asking("CreateAccessKey"):
            try:
                made = client.create_access_key()["AccessKey"]
            except client.exceptions.LimitExceededException as error:
                raise UsageError(
                    "the user has two access keys already, so AWS makes no third",
                    hint="wait a minute, as AWS may not list a new one at once, then run it again",
                ) from error
            pair = Credentials(made["AccessKeyId"], Secret(made["SecretAccessKey"]))
            return pair, made.get("CreateDate")

    def was_used(self, key_id: str) -> bool:
        """GetAccessKeyLastUsed; False too where the user may not ask."""
        try:
            with self._asking("GetAccessKeyLastUsed"):
                reply = self._client().get_access_key_last_used(AccessKeyId=key_id)
        except AwsLoginError as error:
            if isinstance(error, NetworkError):
                raise
            return False
        return "LastUsedDate" in reply.get("AccessKeyLastUsed", {})

    def delete(self, key_id: str) -> None:
        """DeleteAccessKey; one that is gone already is no error."""
        client = self._client()
        with self._asking("DeleteAccessKey"):
            try:
                client.delete_access_key(AccessKeyId=key_id)
            except client.exceptions.NoSuchEntityException:
                return

    def deactivate(self, key_id: str) -> bool:
        """UpdateAccessKey to Inactive; False where it is gone already."""
        client = self._client()
        with self._asking("UpdateAccessKey"):
            try:
                client.update_access_key(AccessKeyId=key_id, Status="Inactive")
            except client.exceptions.NoSuchEntityException:
                return False
        return True

    def _client(self, *, once: bool = False) -> Any:
        return self._aws.client("iam", self._region, self._signer, once=once)

    @contextmanager
    def _asking(self, action: str) -> Iterator[None]:
        try:
            with self._aws.errors(action):
                yield
        except RoleRefused as error:
            error.hint = (
                f"the user's policy must allow iam:{action} on its own keys"
                " (and the profile needs `mfa_serial` where it demands MFA)"
            )
            raise


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
    ports: Ports, iam: _Iam, keys: dict[str, _Key], note: dict[str, Any], current: Credentials
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


def _make_room(store: KeyStore, iam: _Iam, keys: dict[str, _Key], profile: str) -> None:
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
    ports: Ports, store: KeyStore, iam: _Iam, keys: dict[str, _Key], profiles: Sequence[str]
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
    keys[new.access_key_id] = _Key(True, created or ports.clock.now())
    return note, new


def _verify(ports: Ports, new: Credentials, request: Request) -> None:
    """Wait until AWS knows the new key.

    Raises:
        NetworkError: It does not in time.
    """
    until = ports.clock.monotonic() + PATIENCE
    pauses = iter(PAUSES)
    pause = PAUSES[-1]
    while True:
        try:
            ports.aws.caller_identity(new, request.region)
        except LoginRefused as error:
            if ports.clock.monotonic() > until or "InvalidClientTokenId" not in error.message:
                raise NetworkError(
                    f"the new key {new.access_key_id} does not work yet: {error.message}",
                    hint=f"the old one does; `awslogin rotate {request.profile}` goes on later",
                ) from error
            ports.ui.progress(f"waiting until AWS knows {new.access_key_id}")
            pause = next(pauses, pause)
            ports.clock.sleep(pause)
        except AwsLoginError as error:
            error.hint = f"the old key works; `awslogin rotate {request.profile}` goes on"
            raise
        else:
            return


def _retire(
    iam: _Iam,
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
