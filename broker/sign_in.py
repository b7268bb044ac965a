"""What is asked of a sign-in itself, under its lock: what it reaches, where else it may stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from broker.broker import Broker
from broker.credentials import Account
from broker.errors import AwsLoginError, UsageError
from broker.login import SessionRequirements

if TYPE_CHECKING:
    from broker.config import Profile


def discover(broker: Broker, provider_name: str) -> list[Account]:
    """What the sign-in of a provider reaches.

    Raises:
        UsageError: This kind of provider cannot list it.
    """
    provider, sign_in_id = broker.plugins.named(provider_name)
    timeout = SessionRequirements().timeout
    with broker.locks.lock_sharing_failure(sign_in_id, what=provider_name, timeout=timeout):
        return provider.discover()


def sign_in_everywhere(
    broker: Broker, profiles: Iterable[Profile], requirements: SessionRequirements
) -> list[AwsLoginError]:
    """Sign in at each of several places, of each sign-in of these profiles; the failures.

    Raises:
        UsageError: A profile's provider has one place alone.
    """
    identities = {
        identity.sign_in_id: identity for identity in map(broker.plugins.identity, profiles)
    }
    failures: list[AwsLoginError] = []
    for identity in identities.values():
        try:
            with broker.locks.lock_sharing_failure(
                identity.sign_in_id, what=identity.label, timeout=requirements.timeout
            ):
                broker.sealed.prepare()
                found = broker.plugins.provider(identity).sign_in_everywhere()
        except UsageError:
            raise
        except AwsLoginError as error:
            found = [error]
        failures += [error.for_profile(identity.profile.name) for error in found]
    return failures


def serving(broker: Broker, profile: Profile) -> str | None:
    """Which of several places gives a profile's session, if that is known.

    Raises:
        KeychainError: What is remembered cannot be read.
    """
    if not broker.sign_ins.has_places(profile):
        return None
    return broker.plugins.provider_of(profile).serving(profile.root.request())
