"""Which sessions and sign-ins are cached: listing them, and forgetting them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.broker import Broker
from broker.errors import AwsLoginError
from broker.identity import Identity
from broker.session import Session

if TYPE_CHECKING:
    from broker.config import Profile

PATIENCE_SECONDS = 60.0
"""How long a sign-in that is under way is waited for."""


def kept_sessions(broker: Broker) -> list[tuple[Profile, Session]]:
    """The cached sessions of the config's profiles, fresh or not, in the file's order.

    Of each profile the whole one, then those that were narrowed.
    """
    found: dict[tuple[str, ...], tuple[Profile, Session]] = {}
    for session, sign_in_id in broker.cache.all():
        if session.profile not in broker.config:
            continue
        try:
            profile = broker.config.profile(session.profile)
            is_ours = sign_in_id == broker.sign_ins.id(profile)
        except AwsLoginError:  # spoiled, or none of its providers can work here
            continue
        which = (profile.name, *session.narrowed)
        other = found.get(which)
        if is_ours and (not other or _ends_later(session, other[1])):
            found[which] = profile, session
    places = {name: place for place, name in enumerate(broker.config.names)}
    return [found[which] for which in sorted(found, key=lambda w: (places[w[0]], w))]


def logout(broker: Broker, profile: Profile) -> int:
    """Forget a profile's sessions and its sign-in, at the provider too; how many sessions."""
    identity = broker.plugins.identity(profile)
    try:
        _end_sign_in(broker, identity)
    finally:
        count = _forget(broker, identity, profile.name)
    return count


def logout_all(broker: Broker) -> int:
    """Forget every session and every sign-in; how many sessions."""
    failures: list[AwsLoginError] = []
    for identity in _one_of_each_sign_in(broker):
        if broker.cache.knows_sign_in(identity.sign_in_id):
            try:
                _end_sign_in(broker, identity)
            except AwsLoginError as error:
                failures.append(error.for_profile(identity.profile.name))
    broker.agent.lock()  # it may hold the old sealing key, under several keychains' names
    forgotten = broker.cache.forget_all()
    if failures:
        raise failures[0]
    return forgotten


def forget_keys_of(broker: Broker, profile: Profile) -> None:
    """Forget what was made with a profile's keys: its sessions, and those of its roles."""
    identity = broker.plugins.keys_identity(profile) or broker.plugins.identity(profile)
    _forget(broker, identity, None)


def _forget(broker: Broker, identity: Identity, profile: str | None) -> int:
    """Drop what this machine keeps of a sign-in: of one profile, or (None) of all; how many."""
    broker.cache.forget_sign_in(identity.sign_in_id)
    broker.agent.forget(identity.sign_in_id, profile or "")
    return broker.cache.forget(profile, identity.sign_in_id)


def _end_sign_in(broker: Broker, identity: Identity) -> None:
    """End it at the provider's side; who signs in meanwhile is waited for."""
    with broker.locks.lock(identity.sign_in_id, what=identity.label, timeout=PATIENCE_SECONDS):
        broker.plugins.provider(identity).logout()


def _one_of_each_sign_in(broker: Broker) -> list[Identity]:
    found: dict[str, Identity] = {}
    for name in broker.config.names:
        try:
            identity = broker.plugins.identity(broker.config.profile(name))
        except AwsLoginError:
            continue
        found.setdefault(identity.sign_in_id, identity)
    return list(found.values())


def _ends_later(session: Session, other: Session) -> bool:
    return bool(session.expires_at and other.expires_at and session.expires_at > other.expires_at)
