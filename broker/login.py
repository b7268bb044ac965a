"""The story of one login: cache, lock, provider, session, cache again.

Owns which provider runs and what makes two sessions the same; not how a provider signs in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TypeVar

from broker.agent.client import AgentClient
from broker.arn import account_of, partition_of
from broker.cache import SessionCache, fingerprint
from broker.config import Config, Profile, ProviderSpec
from broker.errors import (
    AwsLoginError,
    ConfigError,
    InteractionRequired,
    RoleRefused,
    UnexpectedReply,
)
from broker.key_ages import KeyAge, KeyAges
from broker.paths import data_dir, state_dir
from broker.ports import LaterHttp, Ports
from broker.ports.aws import Aws
from broker.ports.bound_keychain import BoundKeychain
from broker.ports.clock import Clock, to_text
from broker.ports.entries import Owner
from broker.ports.entry_index import EntryIndex
from broker.ports.keychain import LazyKeychain, pinned
from broker.ports.parallel import in_parallel
from broker.ports.secrets import Keychain, Secrets
from broker.ports.ui import Ui
from broker.ports.used_codes import UsedCodes
from broker.provider import Account, Credentials, KeyHolder, Provider, Rotation
from broker.seal import SealedFiles
from broker.session import Session
from broker.single_flight import SingleFlight

T = TypeVar("T")
Outcome = Session | AwsLoginError

AT_ONCE = 32
"""Sessions asked for in parallel once the sign-in stands."""
LOGOUT_PATIENCE = 60.0
"""Seconds that `logout` waits for a sign-in that is under way."""


@dataclass(frozen=True)
class Wish:
    """How fresh a session the person wants.

    Attributes:
        force: A new one, whatever is cached.
        min_ttl: What must be left of it, at most half of its life.
        timeout: Seconds to wait for another process that signs in.
    """

    force: bool = False
    min_ttl: timedelta = timedelta(minutes=15)
    timeout: float = 300.0


class Broker:
    """Gets sessions for the profiles of one config."""

    def __init__(
        self,
        config: Config,
        ui: Ui,
        environ: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
    ) -> None:
        self._config = config
        self._ui = ui
        self._environ = environ
        self._clock = clock or Clock()
        self._aws = Aws(environ)
        self._providers: dict[str, Provider] = {}
        folder = state_dir(environ)
        self.agent = AgentClient(environ)
        self._sealed = SealedFiles(folder / "sealed", self._cache_keychain(), self.agent)
        self._cache = SessionCache(self._sealed, self._clock)
        self._flights = SingleFlight(folder / "locks", self._clock, ui)
        self.key_ages = KeyAges(data_dir(environ) / "key-ages", config.key_scope)

    @cached_property
    def keychain(self) -> Keychain:
        """This machine's keychain, opened when it is needed first."""
        return LazyKeychain(self._ui, self._environ)

    @property
    def aws(self) -> Aws:
        """The way to AWS."""
        return self._aws

    @cached_property
    def http(self) -> LaterHttp:
        """The way to everything that is not an API of AWS."""
        return LaterHttp(self._clock, self._environ, meanwhile=self._aws.load)

    def session(self, profile: Profile, wish: Wish) -> Session:
        """A session for one profile, from the cache when it is fresh enough.

        Raises:
            AwsLoginError: As the provider has it.
        """
        outcome = self.sessions([profile], wish)[profile.name]
        if isinstance(outcome, AwsLoginError):
            raise outcome from outcome.__cause__
        return outcome

    def sessions(self, profiles: list[Profile], wish: Wish) -> dict[str, Outcome]:
        """A session or a failure for each profile, by name; one sign-in serves all its profiles.

        The first profile of each sign-in signs in, the others follow in parallel; roles that are
        taken from another profile's session come last.
        """
        outcomes: dict[str, Outcome] = {}
        pending: list[Profile] = []
        for profile in profiles:
            cached = self._attempt(lambda: self._fresh(profile, wish), profile)  # noqa: B023
            if cached is None:
                pending.append(profile)
            else:
                outcomes[profile.name] = cached
        chained = [profile for profile in pending if profile.is_chained]
        direct = [profile for profile in pending if not profile.is_chained]
        bases = {base.name: base for base in (profile.base for profile in chained)}
        signed_in: dict[str, Outcome] = {}
        for group in self._by_sign_in(direct, list(bases.values())):
            signed_in |= self._one_sign_in(group, wish)
        outcomes |= signed_in | self._chains(chained, signed_in, wish)
        trouble = self._sealed.unwritable
        if trouble:
            self._ui.warn(
                f"{trouble.strerror}: sessions are not kept, the next command signs in anew"
            )
        return outcomes

    def _by_sign_in(self, direct: list[Profile], bases: list[Profile]) -> Iterable[list[Profile]]:
        """Profiles that sign in, grouped; with them those whose session others are taken from."""
        named = {profile.name for profile in direct}
        missing = [b for b in bases if b.name not in named and self._fresh(b, Wish()) is None]
        groups: dict[str, list[Profile]] = {}
        for profile in [*direct, *missing]:
            groups.setdefault(self.sign_in(profile), []).append(profile)
        return groups.values()

    def _one_sign_in(self, profiles: list[Profile], wish: Wish) -> dict[str, Outcome]:
        """Sign in once, under the sign-in's lock, and get all its profiles' sessions."""
        outcomes: dict[str, Outcome] = {}
        waiting = list(profiles)
        first = profiles[0]
        try:
            with self._flights.turn(
                self.sign_in(first), what=self._words(first), timeout=wish.timeout
            ):
                while waiting and not any(map(_signed_in, outcomes.values())):
                    first = waiting[0]
                    outcomes[first.name] = self._signed_in_or_refused(first, wish)
                    waiting.pop(0)
                return outcomes | self._in_parallel(self._new_session, waiting, wish)
        except AwsLoginError as error:
            return outcomes | {profile.name: error.for_profile(profile.name) for profile in waiting}

    def _signed_in_or_refused(self, profile: Profile, wish: Wish) -> Outcome:
        """A session, or the refusal of this role alone; a failed sign-in is raised."""
        try:
            return self._new_session(profile, wish)
        except (RoleRefused, ConfigError) as error:
            return error.for_profile(profile.name)

    def _chains(
        self, profiles: list[Profile], signed_in: Mapping[str, Outcome], wish: Wish
    ) -> dict[str, Outcome]:
        """The roles that are taken from another profile's session."""
        failed: dict[str, Outcome] = {}
        for profile in profiles:
            source = signed_in.get(profile.base.name)
            if isinstance(source, AwsLoginError):
                failed[profile.name] = source.for_profile(profile.name)

        def one(profile: Profile, wish: Wish) -> Session:
            with self._flights.turn(
                self.key(profile), what=self._words(profile), timeout=wish.timeout
            ):
                return self._new_session(profile, wish)

        waiting = [profile for profile in profiles if profile.name not in failed]
        return failed | self._in_parallel(one, waiting, wish)

    def _in_parallel(
        self, get: Callable[[Profile, Wish], Session], profiles: list[Profile], wish: Wish
    ) -> dict[str, Outcome]:
        with self._ui.counting("getting sessions", len(profiles)) as counted:

            def one(profile: Profile) -> Outcome:
                outcome = self._attempt(lambda: get(profile, wish), profile)
                counted()
                return outcome

            outcomes = in_parallel(one, profiles, at_once=AT_ONCE)
        return {profile.name: got for profile, got in zip(profiles, outcomes, strict=True)}

    def _attempt(self, get: Callable[[], T], profile: Profile) -> T | AwsLoginError:
        try:
            return get()
        except AwsLoginError as error:
            return error.for_profile(profile.name)

    def _fresh(self, profile: Profile, wish: Wish) -> Session | None:
        return None if wish.force else self._cache.fresh(self.key(profile), wish.min_ttl)

    def _new_session(self, profile: Profile, wish: Wish) -> Session:
        """With the lock held: look again, then sign in, stamp, seal."""
        cached = self._fresh(profile, wish)
        if cached:
            return cached
        request = profile.request(force=wish.force)
        if profile.source and profile.is_chained:
            source = self.session(profile.source, Wish(timeout=wish.timeout))
            credentials = self._aws.assume_role(source.credentials(), request)
        else:
            credentials = self.provider(profile).login(request)
        session = self._stamped(profile, credentials)
        self._cache.save(self.key(profile), session, sign_in=self.sign_in(profile))
        self.hand_over(profile, session)
        return session

    def hand_over(self, profile: Profile, session: Session) -> None:
        """Leave a session with the agent, for the next command and for those who wait for it."""
        key = self.key(profile)
        file = self._cache.file(key) if self._sealed.outlive_this_process else None
        self.agent.put(key, session, sign_in_id=self.sign_in(profile), file=file)

    def kept_session(self, profile: Profile, min_ttl: timedelta) -> Session | None:
        """The session that is kept and fresh; nobody is contacted for another one."""
        return self._cache.fresh(self.key(profile), min_ttl)

    def without_session(self, profile: Profile, credentials: Credentials) -> Session:
        """A user's own keys in a session's shape: it has no token and no end, and is not cached."""
        return self._stamped(profile, credentials)

    def rotate(self, profile: Profile, holder: KeyHolder, *, keep_inactive: bool) -> Rotation:
        """Rotate a user's keys, for every profile of this config that holds the same ones.

        Sign-ins with these keys wait; sessions that are cached stay good, as AWS keeps them.
        """
        others = [name for name in self.key_profiles() if name != profile.name]
        others = [
            name
            for name in others
            if self._config.profile(name).provider_names == profile.provider_names
        ]
        with self._flights.turn(self.sign_in(profile), what=self._words(profile), timeout=300):
            done = holder.rotate_keys(profile.request(), others, keep_inactive=keep_inactive)
        for name in done.profiles:
            self.key_ages.note(holder.name, name, KeyAge(done.created_at, exact=True))
        return done

    def key_profiles(self) -> list[str]:
        """The profiles that hold a user's keys themselves, in the file's order."""
        found = []
        for name in self._config.names:
            try:
                profile = self._config.profile(name)
            except AwsLoginError:
                continue
            if profile.keys_profile == name:
                found.append(name)
        return found

    def _stamped(self, profile: Profile, credentials: Credentials) -> Session:
        spec = self.spec(profile)
        _require_usable(credentials, self._clock.now())
        return Session(
            profile=profile.name,
            provider=spec.name,
            type=spec.type,
            account_id=credentials.account_id or account_of(credentials.arn) or profile.account,
            arn=credentials.arn,
            partition=partition_of(profile.region, credentials.arn or profile.role_arn),
            region=profile.region,
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            session_token=credentials.session_token,
            issued_at=self._clock.now().replace(microsecond=0),
            expires_at=credentials.expires_at,
        )

    def spec(self, profile: Profile) -> ProviderSpec:
        """The provider that would run: of a list the first that can work here.

        Raises:
            InteractionRequired: None of the list can.
        """
        names = profile.root.provider_names
        specs = [self._config.provider(name) for name in names]
        if len(specs) == 1:
            return specs[0]
        reasons = []
        for spec in specs:
            reason = spec.plugin.cannot_work_here(spec.options, self._environ)
            if reason is None:
                return spec
            reasons.append(f"{spec.name}: {reason}")
        raise InteractionRequired(
            f"no provider of {profile.name} can work here ({'; '.join(reasons)})",
            hint=f"`awslogin explain {profile.name}` shows them",
            profile=profile.name,
        )

    def likely_spec(self, profile: Profile) -> ProviderSpec:
        """The provider that would run, or the first of a list of which none can: for tables."""
        try:
            return self.spec(profile)
        except InteractionRequired:
            return self._config.provider(profile.root.provider_names[0])

    def provider(self, profile: Profile) -> Provider:
        """The provider that signs this profile in, with its ports."""
        sign_in = self.sign_in(profile)
        if sign_in not in self._providers:
            made = self._make_provider(self.spec(profile), sign_in, profile.name)
            self._providers[sign_in] = made
        return self._providers[sign_in]

    def discover(self, name: str, wish: Wish) -> list[Account]:
        """What the sign-in of a provider reaches, under the sign-in's lock.

        Raises:
            UsageError: This kind of provider cannot list it.
        """
        spec = self._config.provider(name)
        sign_in = self._sign_in_of(spec, keys=None, mfa_serial=None)
        provider = self._make_provider(spec, sign_in)
        with self._flights.turn(sign_in, what=spec.name, timeout=wish.timeout):
            return provider.discover()

    def secrets_of(self, spec: ProviderSpec, sign_in: str, profile: str) -> Secrets:
        """The secrets that a provider is given: those that are for this provider's sites."""
        owner = Owner(
            team=self._config.team,
            place=self._config.place,
            provider=spec.name,
            type=spec.type,
            sites=spec.options.secret_sites(),
        )
        index, ui = EntryIndex.of(self._environ), self._ui.of(spec.name)
        return Secrets(
            BoundKeychain(self.keychain, owner, index, ui, profile),
            self._sealed,
            self._clock,
            sign_in=sign_in,
            used_codes=UsedCodes(
                state_dir(self._environ) / "codes", self._clock, self._sealed.keyed_hash_key
            ),
        )

    def _make_provider(self, spec: ProviderSpec, sign_in: str, profile: str = "") -> Provider:
        from broker.ports.browser import Browser

        ports = Ports(
            http=self.http,
            aws=self._aws,
            ui=self._ui.of(spec.name),
            secrets=self.secrets_of(spec, sign_in, profile),
            clock=self._clock,
            browser=Browser(self._environ),
        )
        return spec.plugin(spec.name, spec.options, ports)

    def sign_in(self, profile: Profile) -> str:
        """Names the sign-in a profile stands on: who signs in, where, by which provider."""
        root = profile.root
        spec = self.spec(profile)
        holds_keys = issubclass(spec.plugin, KeyHolder)
        keys = (profile.keys_profile or root.keys_profile) if holds_keys else None
        return self._sign_in_of(spec, keys=keys, mfa_serial=root.mfa_serial)

    def _sign_in_of(self, spec: ProviderSpec, *, keys: str | None, mfa_serial: str | None) -> str:
        suffix = spec.name.upper().replace("-", "_")
        who = {
            "team": self._config.key_scope if keys else self._config.team,
            "keys": keys,
            "mfa_serial": mfa_serial,
            "username": self._environ.get(f"AWSLOGIN_USERNAME_{suffix}")
            or self._environ.get("AWSLOGIN_USERNAME"),
        }
        return fingerprint(
            {
                "provider": spec.name,
                "type": spec.type,
                "sign_in": spec.options.sign_in(**who),
                "signs_in_as": spec.plugin.signs_in_as(spec.options, self._environ),
                "endpoints": {
                    name: self._environ[name]
                    for name in self._environ
                    if name.startswith("AWS_ENDPOINT_URL")
                },
            }
        )

    def key(self, profile: Profile) -> str:
        """Names a session: everything that shapes it."""
        return fingerprint(
            {
                "sign_in": self.sign_in(profile),
                "profile": profile.name,
                "source": self.key(profile.source) if profile.source else None,
                **vars(profile.role_parameters),
            }
        )

    def kept(self) -> list[tuple[Profile, Session]]:
        """The cached sessions of this config's profiles, fresh or not."""
        found: dict[str, tuple[Profile, Session]] = {}
        for session, sign_in in self._cache.all():
            if session.profile not in self._config:
                continue
            try:
                profile = self._config.profile(session.profile)
                is_ours = sign_in == self.sign_in(profile)
            except AwsLoginError:  # spoiled, or none of its providers can work here
                continue
            other = found.get(profile.name)
            if is_ours and (not other or _later(session, other[1])):
                found[profile.name] = profile, session
        return [found[name] for name in self._config.names if name in found]

    def logout(self, profile: Profile) -> int:
        """Forget a profile's sessions and its sign-in, at the provider too; how many sessions."""
        try:
            self._end_sign_in(profile)
        finally:
            count = self.forget(profile)
        return count

    def _end_sign_in(self, profile: Profile) -> None:
        with self._flights.alone(
            self.sign_in(profile), what=self._words(profile), timeout=LOGOUT_PATIENCE
        ):
            self.provider(profile).logout()

    def forget(self, profile: Profile) -> int:
        """Forget a profile's sessions and its sign-in on this machine; how many sessions."""
        sign_in = self.sign_in(profile)
        self._cache.forget_sign_in(sign_in)
        self.agent.forget(sign_in, profile.name)
        return self._cache.forget(profile.name, sign_in)

    def forget_keys_of(self, profile: Profile) -> None:
        """Forget what was made with a profile's keys: its sessions, and those of its roles."""
        sign_in = self.sign_in(profile)
        self._cache.forget_sign_in(sign_in)
        self.agent.forget(sign_in, "")
        self._cache.forget(None, sign_in)

    def logout_all(self) -> int:
        """Forget every session and every sign-in; how many sessions."""
        failures: list[AwsLoginError] = []
        for sign_in, profile in self._profiles_by_sign_in().items():
            if self._cache.knows_sign_in(sign_in):
                try:
                    self._end_sign_in(profile)
                except AwsLoginError as error:
                    failures.append(error.for_profile(profile.name))
        forgotten = self._cache.forget_all()
        self.agent.forget()
        if failures:
            raise failures[0]
        return forgotten

    def _profiles_by_sign_in(self) -> dict[str, Profile]:
        found: dict[str, Profile] = {}
        for name in self._config.names:
            try:
                profile = self._config.profile(name)
                found.setdefault(self.sign_in(profile), profile)
            except AwsLoginError:
                continue
        return found

    def _words(self, profile: Profile) -> str:
        return f"{self.spec(profile).name} for {profile.name}"

    def _cache_keychain(self) -> Keychain | None:
        """The keychain whose key seals sessions: none in CI, unless the job names one."""
        in_ci = self._environ.get("CI", "").lower() == "true"
        return None if in_ci and not pinned(self._environ) else self.keychain


def _signed_in(outcome: Outcome) -> bool:
    """Whether the sign-in stands, even if it does not hold that role."""
    return isinstance(outcome, Session | RoleRefused)


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
            f"the sign-in gave a session that ended at {to_text(credentials.expires_at)}",
            hint="check this machine's clock",
        )


def _later(one: Session, other: Session) -> bool:
    return bool(one.expires_at and other.expires_at and one.expires_at > other.expires_at)
