"""The story of one login: cache, lock, provider, session, cache again.

Owns when a provider is asked and what becomes of its answer; not how a provider signs in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from broker.arn import account_of, partition_of
from broker.broker import Broker
from broker.credentials import Credentials
from broker.errors import (
    AwsLoginError,
    ConfigError,
    RoleRefused,
    UnexpectedReply,
)
from broker.identity import Identity
from broker.ports.clock import to_local_text
from broker.ports.parallel import in_parallel
from broker.session import Session

if TYPE_CHECKING:
    from broker.config import Profile

Outcome = Session | AwsLoginError

MAX_PARALLEL_SESSIONS = 32
"""Asked for at once, when the sign-in stands."""


@dataclass(frozen=True)
class SessionRequirements:
    """How fresh a session must be, and how long it may take.

    Attributes:
        force: A new one, whatever is cached.
        min_ttl: What must be left of it, at most half of its life.
        timeout: Seconds to wait for another process that signs in.
    """

    force: bool = False
    min_ttl: timedelta = timedelta(minutes=15)
    timeout: float = 300.0


class Login:
    """Gets sessions for the profiles of one config."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def session(self, profile: Profile, requirements: SessionRequirements) -> Session:
        """A session for one profile, from the cache when it is fresh enough.

        Raises:
            AwsLoginError: As the provider has it.
        """
        outcome = self.sessions([profile], requirements)[profile.name]
        if isinstance(outcome, AwsLoginError):
            raise outcome from outcome.__cause__
        return outcome

    def sessions(
        self, profiles: Iterable[Profile], requirements: SessionRequirements
    ) -> dict[str, Outcome]:
        """A session or a failure for each profile, by name; one sign-in serves all its profiles.

        The first profile of each sign-in signs in, the others follow in parallel; roles that are
        taken from another profile's session come last.
        """
        outcomes: dict[str, Outcome] = {}
        pending: list[Identity] = []
        for profile in profiles:
            try:
                identity = self._broker.plugins.identity(profile)
                cached = self._fresh(identity, requirements)
            except AwsLoginError as error:
                outcomes[profile.name] = error.for_profile(profile.name)
                continue
            if cached:
                outcomes[profile.name] = cached
            else:
                pending.append(identity)
        chained = [identity for identity in pending if identity.profile.is_chained]
        direct = [identity for identity in pending if not identity.profile.is_chained]
        signed_in: dict[str, Outcome] = {}
        for same_sign_in in _by_sign_in([*direct, *self._missing_bases(chained, direct)]):
            signed_in |= self._sign_in(same_sign_in, requirements)
        outcomes |= signed_in | self._chain(chained, signed_in, requirements)
        for identity in pending:
            outcome = outcomes[identity.profile.name]
            if isinstance(outcome, AwsLoginError):
                self._broker.events.note_failure(identity, outcome)
        self._warn_if_not_kept()
        return outcomes

    def kept_session(self, profile: Profile, min_ttl: timedelta) -> Session | None:
        """The session that is kept and fresh; nobody is contacted for another one."""
        return self._broker.cache.fresh(self._broker.plugins.identity(profile).session_id, min_ttl)

    def without_session(self, profile: Profile, credentials: Credentials) -> Session:
        """A user's own keys in a session's shape: it has no token and no end, and is not cached."""
        return _stamped(
            self._broker.plugins.identity(profile), credentials, self._broker.clock.now()
        )

    def hand_over(self, identity: Identity, session: Session) -> None:
        """Leave a session with the agent, for the next command and for those who wait for it."""
        if session.narrowed:  # nobody asks the agent for it
            return
        broker = self._broker
        is_kept = broker.sealed.outlive_this_process
        file = broker.cache.file(identity.session_id) if is_kept else None
        broker.agent.put(
            identity.session_id,
            session,
            identity.profile,
            sign_in_id=identity.sign_in_id,
            file=file,
        )

    def _fresh(self, identity: Identity, requirements: SessionRequirements) -> Session | None:
        """The cached session, if it is fresh enough."""
        if requirements.force:
            return None
        return self._broker.cache.fresh(identity.session_id, requirements.min_ttl)

    def _missing_bases(self, chained: list[Identity], direct: list[Identity]) -> list[Identity]:
        """Profiles that must sign in because a chain begins with them and no session is cached."""
        named = {identity.profile.name for identity in direct}
        bases = {identity.profile.base.name: identity.profile.base for identity in chained}
        identities = [
            self._broker.plugins.identity(base) for name, base in bases.items() if name not in named
        ]
        return [base for base in identities if self._fresh(base, SessionRequirements()) is None]

    def _sign_in(
        self, identities: list[Identity], requirements: SessionRequirements
    ) -> dict[str, Outcome]:
        """Sign in once, under the sign-in's lock, and get the sessions of all its profiles."""
        outcomes: dict[str, Outcome] = {}
        waiting = list(identities)
        first = waiting[0]
        try:
            with self._broker.locks.lock_sharing_failure(
                first.sign_in_id, what=first.label, timeout=requirements.timeout
            ):
                while waiting and not any(map(_stands, outcomes.values())):
                    outcomes[waiting[0].profile.name] = self._session_or_refusal(
                        waiting[0], requirements
                    )
                    waiting.pop(0)
                return outcomes | self._in_parallel(
                    lambda identity: self._new_session(identity, requirements), waiting
                )
        except AwsLoginError as error:
            names = [identity.profile.name for identity in waiting]
            return outcomes | {name: error.for_profile(name) for name in names}

    def _session_or_refusal(self, identity: Identity, requirements: SessionRequirements) -> Outcome:
        """A session, or the refusal of this role alone; a failed sign-in is raised."""
        try:
            return self._new_session(identity, requirements)
        except (RoleRefused, ConfigError) as error:
            return error.for_profile(identity.profile.name)

    def _chain(
        self,
        identities: list[Identity],
        signed_in: Mapping[str, Outcome],
        requirements: SessionRequirements,
    ) -> dict[str, Outcome]:
        """The roles that are taken from another profile's session."""
        failed: dict[str, Outcome] = {}
        for identity in identities:
            base = signed_in.get(identity.profile.base.name)
            if isinstance(base, AwsLoginError):
                failed[identity.profile.name] = base.for_profile(identity.profile.name)

        def new_session(identity: Identity) -> Session:
            with self._broker.locks.lock_sharing_failure(
                identity.session_id, what=identity.label, timeout=requirements.timeout
            ):
                return self._new_session(identity, requirements)

        return failed | self._in_parallel(
            new_session,
            [identity for identity in identities if identity.profile.name not in failed],
        )

    def _in_parallel(
        self, get: Callable[[Identity], Session], identities: list[Identity]
    ) -> dict[str, Outcome]:
        with self._broker.ui.counting("getting sessions", len(identities)) as counted:

            def session_or_error(identity: Identity) -> Outcome:
                try:
                    return get(identity)
                except AwsLoginError as error:
                    return error.for_profile(identity.profile.name)
                finally:
                    counted()

            outcomes = in_parallel(session_or_error, identities, at_once=MAX_PARALLEL_SESSIONS)
        names = [identity.profile.name for identity in identities]
        return dict(zip(names, outcomes, strict=True))

    def _new_session(self, identity: Identity, requirements: SessionRequirements) -> Session:
        """With the lock held: look again, then sign in, stamp, seal, hand over."""
        cached = self._fresh(identity, requirements)
        if cached:
            return cached
        self._broker.sealed.prepare()
        credentials = self._credentials(identity, requirements)
        session = _stamped(identity, credentials, self._broker.clock.now())
        self._broker.cache.save(identity.session_id, session, sign_in=identity.sign_in_id)
        self.hand_over(identity, session)
        self._broker.events.note_sign_in(identity, session)
        return session

    def _credentials(self, identity: Identity, requirements: SessionRequirements) -> Credentials:
        """From the source's session where the role is chained, else from the provider."""
        profile = identity.profile
        request = profile.request(force=requirements.force)
        if profile.source and profile.is_chained:
            source = self.session(profile.source, SessionRequirements(timeout=requirements.timeout))
            return self._broker.aws.assume_role(source.credentials(), request)
        return self._broker.plugins.credentials(identity, request)

    def _warn_if_not_kept(self) -> None:
        trouble = self._broker.sealed.unwritable
        if trouble:
            self._broker.ui.warn(
                f"{trouble.strerror}: sessions are not kept, the next command signs in anew"
            )


def _by_sign_in(identities: list[Identity]) -> list[list[Identity]]:
    groups: dict[str, list[Identity]] = {}
    for identity in identities:
        groups.setdefault(identity.sign_in_id, []).append(identity)
    return list(groups.values())


def _stands(outcome: Outcome) -> bool:
    """Whether the sign-in stands, even if it does not hold that role."""
    return isinstance(outcome, Session | RoleRefused)


def _stamped(identity: Identity, credentials: Credentials, now: datetime) -> Session:
    """What a provider gave, as a session of this profile.

    Raises:
        UnexpectedReply: No client could use it.
    """
    profile = identity.profile
    _require_usable(credentials, now)
    return Session(
        profile=profile.name,
        provider=identity.spec.name,
        type=identity.spec.type,
        account_id=credentials.account_id or account_of(credentials.arn) or profile.account,
        arn=credentials.arn,
        partition=partition_of(profile.region, credentials.arn or profile.role_arn),
        region=profile.region,
        access_key_id=credentials.access_key_id,
        secret_access_key=credentials.secret_access_key,
        session_token=credentials.session_token,
        issued_at=now.replace(microsecond=0),
        expires_at=credentials.expires_at,
        narrowed=profile.narrowed,
    )


def _require_usable(credentials: Credentials, now: datetime) -> None:
    """Refuse what no client could use, before it is cached or printed.

    Raises:
        UnexpectedReply: It has ended already, or holds no keys.
    """
    token = credentials.session_token
    texts = [credentials.access_key_id, credentials.secret_access_key.reveal()]
    texts += [token.reveal()] if token else []
    if not all(isinstance(text, str) and re.fullmatch(r"[!-~]+", text) for text in texts):
        raise UnexpectedReply("the sign-in gave credentials that no client could use")
    if credentials.expires_at and credentials.expires_at <= now:
        raise UnexpectedReply(
            f"the sign-in gave a session that ended at {to_local_text(credentials.expires_at)}",
            hint="check this machine's clock",
        )
