"""Which provider runs for a profile, and that provider with its ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from broker.errors import AwsLoginError, InteractionRequired, UsageError
from broker.identity import Identity, session_id, sign_in_id
from broker.paths import state_dir
from broker.ports import LaterHttp, Ports
from broker.ports.aws import Aws
from broker.ports.bound_keychain import BoundKeychain
from broker.ports.clock import Clock
from broker.ports.entries import Owner
from broker.ports.entry_index import EntryIndex
from broker.ports.secrets import Keychain, Secrets
from broker.ports.steps import step
from broker.ports.ui import Ui
from broker.ports.used_codes import UsedCodes
from broker.provider import Credentials, KeyHolder, Provider, Request
from broker.seal import SealedFiles

if TYPE_CHECKING:
    from broker.config import Config, Profile, ProviderSpec


class Plugins:
    """The providers of one config, each made when it is asked for first."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        *,
        ui: Ui,
        clock: Clock,
        aws: Aws,
        http: LaterHttp,
        keychain: Keychain,
        sealed: SealedFiles,
    ) -> None:
        self._config = config
        self._environ = environ
        self._ui = ui
        self._clock = clock
        self._aws = aws
        self._http = http
        self._keychain = keychain
        self._sealed = sealed
        self._made: dict[str, Provider[Any]] = {}

    def spec(self, profile: Profile) -> ProviderSpec:
        """The provider that would run: of a list the first that can work here.

        Raises:
            InteractionRequired: None of the list can.
        """
        spec, reasons = self._first_that_can(profile)
        if spec:
            return spec
        raise InteractionRequired(
            f"no provider of {profile.name} can work here ({'; '.join(reasons)})",
            hint=f"`awslogin explain {profile.name}` shows them",
            profile=profile.name,
        )

    def credentials(self, identity: Identity, request: Request) -> Credentials:
        """What the provider gives; a failure says which others were passed over, and why."""
        step(f"{identity.profile.name}: {identity.spec.name} ({identity.spec.type}) signs in")
        try:
            return self.provider(identity).login(request)
        except AwsLoginError as error:
            passed_over = "; ".join(self._first_that_can(identity.profile)[1])
            if passed_over and passed_over not in error.hint:  # one of those may have been meant
                error.hint += f"; passed over: {passed_over}"
            raise

    def _first_that_can(self, profile: Profile) -> tuple[ProviderSpec | None, list[str]]:
        """The first of the profile's providers that can work here, and why those before cannot."""
        specs = [self._config.provider(name) for name in profile.root.provider_names]
        if len(specs) == 1:
            return specs[0], []
        reasons: list[str] = []
        for spec in specs:
            reason = spec.plugin.cannot_work_here(spec.options, self._environ)
            if reason is None:
                return spec, reasons
            reasons.append(f"{spec.name}: {reason}")
        return None, reasons

    def likely_spec(self, profile: Profile) -> ProviderSpec:
        """The provider that would run, or the first of a list of which none can: for tables."""
        try:
            return self.spec(profile)
        except InteractionRequired:
            return self._config.provider(profile.root.provider_names[0])

    def identity(self, profile: Profile) -> Identity:
        """The profile's provider and ids, as this environment has them now.

        Raises:
            InteractionRequired: None of its providers can work here.
            UsageError: It is narrowed, and the one that would run cannot do that.
        """
        spec = self.spec(profile)
        if profile.narrowed and not profile.is_chained:
            _require_narrowing(spec, profile)
        return self._identity(profile, spec)

    def keys_identity(self, profile: Profile) -> Identity | None:
        """The same with the provider of its list that holds keys, whichever can work here; or None.

        Keys are added, rotated and removed whether or not they would be the ones that sign in.
        """
        for name in profile.root.provider_names:
            spec = self._config.provider(name)
            if issubclass(spec.plugin, KeyHolder):
                return self._identity(profile, spec)
        return None

    def _identity(self, profile: Profile, spec: ProviderSpec) -> Identity:
        root = profile.root
        keys_profile = root.keys_profile if issubclass(spec.plugin, KeyHolder) else None
        sign_in = sign_in_id(
            spec,
            self._environ,
            team=self._config.key_scope if keys_profile else self._config.team,
            keys_profile=keys_profile,
            mfa_serial=root.mfa_serial,
            signs_in_for=spec.plugin.signs_in_for(spec.options, root.request()),
        )
        return Identity(profile, spec, sign_in, session_id(profile, sign_in))

    def provider(self, identity: Identity) -> Provider[Any]:
        """The provider that signs in, with its ports."""
        if identity.sign_in_id not in self._made:
            self._made[identity.sign_in_id] = self._provider(
                identity.spec, identity.sign_in_id, identity.profile.name
            )
        return self._made[identity.sign_in_id]

    def provider_of(self, profile: Profile) -> Provider[Any]:
        """The provider that signs a profile in."""
        return self.provider(self.identity(profile))

    def named(self, name: str) -> tuple[Provider[Any], str]:
        """A provider by its own name, for no profile, and the id of its sign-in."""
        spec = self._config.provider(name)
        sign_in = sign_in_id(
            spec, self._environ, team=self._config.team, keys_profile=None, mfa_serial=None
        )
        return self._provider(spec, sign_in, ""), sign_in

    def _provider(self, spec: ProviderSpec, sign_in: str, profile: str) -> Provider[Any]:
        from broker.ports.browser import Browser

        ui = self._ui.of(spec.name)
        ports = Ports(
            http=self._http,
            aws=self._aws,
            ui=ui,
            secrets=self._secrets(spec, sign_in, profile, ui),
            clock=self._clock,
            browser=Browser(self._environ),
            folder=self._config.folder,
        )
        return spec.plugin(spec.name, spec.options, ports)

    def _secrets(self, spec: ProviderSpec, sign_in: str, profile: str, ui: Ui) -> Secrets:
        """The secrets that a provider is given: those that are for this provider's sites."""
        owner = Owner(
            team=self._config.team,
            place=self._config.place,
            provider=spec.name,
            type=spec.type,
            sites=spec.options.secret_sites(),
        )
        return Secrets(
            BoundKeychain(self._keychain, owner, EntryIndex.of(self._environ), ui, profile),
            self._sealed,
            self._clock,
            sign_in=sign_in,
            used_codes=UsedCodes(
                state_dir(self._environ) / "codes", self._clock, self._sealed.keyed_hash_key
            ),
        )


def _require_narrowing(spec: ProviderSpec, profile: Profile) -> None:
    """Refuse a session that would be the whole one; a chain's last role can always be narrowed.

    Raises:
        UsageError: This kind of sign-in takes no session policy.
    """
    reason = spec.plugin.cannot_narrow(spec.options, profile.request())
    if reason:
        raise UsageError(
            f"the session of {profile.name} cannot be narrowed: {reason}",
            hint=f"a profile with `source: {profile.name}` and a `role_arn` can: its role is taken"
            " at STS, with the policy",
            profile=profile.name,
        )
