"""A user's own keys in the keychain, across the profiles that hold them. Owns no keychain entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker.broker import Broker
from broker.credentials import Rotation
from broker.errors import AwsLoginError
from broker.key_ages import KeyAge
from broker.provider import KeyHolder

if TYPE_CHECKING:
    from broker.config import Config, Profile

PATIENCE_SECONDS = 300.0
"""How long a sign-in that is under way is waited for."""


def key_profiles(config: Config) -> list[str]:
    """The profiles that hold a user's keys themselves, in the file's order."""
    found = []
    for name in config.names:
        try:
            profile = config.profile(name)
        except AwsLoginError:
            continue
        if profile.keys_profile == name:
            found.append(name)
    return found


def profiles_with(config: Config, holder: KeyHolder[Any], key_id: str) -> list[str]:
    """The profiles that sign in with this very key of a provider."""
    return [
        name
        for name in key_profiles(config)
        if holder.name in config.profile(name).provider_names
        and (held := holder.held_keys(name))
        and held.access_key_id == key_id
    ]


def rotate(
    broker: Broker, profile: Profile, holder: KeyHolder[Any], *, keep_inactive: bool
) -> Rotation:
    """Rotate a user's keys, for every profile of the config that holds the same ones.

    Sign-ins with these keys wait; sessions that are cached stay good, as AWS keeps them.
    """
    others = [
        name
        for name in key_profiles(broker.config)
        if name != profile.name
        and broker.config.profile(name).provider_names == profile.provider_names
    ]
    identity = broker.plugins.keys_identity(profile)
    assert identity, "a holder of keys is among the profile's providers"
    with broker.locks.lock_sharing_failure(
        identity.sign_in_id, what=identity.label, timeout=PATIENCE_SECONDS
    ):
        done = holder.rotate_keys(profile.request(), others, keep_inactive=keep_inactive)
    broker.events.note(
        "rotation", profile.name, provider=holder.name, type=identity.spec.type,
        account_id=profile.account,
    )  # fmt: skip
    for name in done.profiles:
        broker.key_ages.note(holder.name, name, KeyAge(done.created_at, exact=True))
    return done
