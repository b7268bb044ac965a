"""All that the author of a provider plugin reads.

A provider is a class that is named in the entry-point group `awslogin.providers`. The broker checks
the YAML against its `Options`, hands it a few `Ports`, asks it to `login`, and turns the
`Credentials` into a cached session. A provider never sees the cache, the command line or a
terminal: it asks through its ports, and the broker decides how (or whether) a person is asked.

    class VendingOptions(ProviderOptions):
        url: str

    class Vending(Provider[VendingOptions]):
        Options = VendingOptions

        def login(self, request: Request) -> Credentials:
            reply = self.ports.http.session().get(self.options.url)
            ...

Errors are those of `broker.errors`. `broker/testing.py` holds the tests that every provider passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from broker.arn import account_of, partition_of
from broker.credentials import (
    Account,
    Credentials,
    Request,
    RoleParameters,
    Rotation,
    access_key,
)
from broker.errors import AwsLoginError, UsageError
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.ports import Ports
    from broker.provider_options import ProviderOptions

__all__ = [
    "Account",
    "Credentials",
    "KeyHolder",
    "Provider",
    "ProviderOptions",
    "Request",
    "RoleParameters",
    "Rotation",
    "access_key",
]


TrustStatement = tuple[dict[str, Any], str]
"""A statement of a role's trust policy, and what is to be said about it (or empty)."""


class NoOptions:
    """The options of a provider that has none, in a config that was checked before: no model."""

    region_of_its_own = None

    def model_dump(self, **how: object) -> dict[str, Any]:
        """As pydantic has it."""
        del how
        return {}

    def sign_in(self, **who: Any) -> dict[str, Any]:
        """As `ProviderOptions` has it."""
        return {"options": {}, **who}

    def secret_sites(self) -> tuple[str, ...]:
        """As `ProviderOptions` has it."""
        return ()


class _BaseOptions:
    """The options of a provider that names none of its own: the base's, loaded when asked for."""

    def __get__(self, instance: object, owner: object) -> type[ProviderOptions]:
        from broker.provider_options import ProviderOptions

        return ProviderOptions


def __getattr__(name: str) -> Any:
    """`ProviderOptions`, from its own module: a provider without options needs no pydantic."""
    if name != "ProviderOptions":
        raise AttributeError(name)
    from broker.provider_options import ProviderOptions

    return ProviderOptions


OptionsT = TypeVar("OptionsT", bound="ProviderOptions")
"""The model of one provider's options."""


class Provider(ABC, Generic[OptionsT]):
    """One way of signing in, whose part of the YAML is an `OptionsT`.

    Attributes:
        Options: The model of this provider's part of the YAML (beside `type`).
        name: The provider's name in the YAML.
        options: The checked options, an instance of `Options`.
        ports: The way to the network, AWS, the person, the keychain, the clock and a browser.
    """

    Options: ClassVar[type[ProviderOptions]] = _BaseOptions()  # type: ignore[assignment]

    def __init__(self, name: str, options: OptionsT, ports: Ports) -> None:
        self.name = name
        self.options = options
        self.ports = ports

    @abstractmethod
    def login(self, request: Request) -> Credentials:
        """Sign in, or use the sign-in that still holds, and return this request's credentials.

        Raises:
            LoginRefused, InteractionRequired, NetworkError, UnexpectedReply, KeychainError,
            RoleRefused: as `broker.errors` describes them.
        """

    @classmethod
    def cannot_work_here(cls, options: OptionsT, environ: Mapping[str, str]) -> str | None:
        """Why this provider cannot work in this environment, or None; asks nobody.

        Of `provider: [a, b]` the first one without a reason is taken.
        """
        del options, environ
        return None

    @classmethod
    def decided_by(cls, options: OptionsT) -> tuple[str, ...]:
        """The files that `cannot_work_here` and `signs_in_as` look at, by the paths that they use.

        A relative one is of the working directory, so another one in each.
        """
        del options
        return ()

    @classmethod
    def secret_variables(cls, options: OptionsT) -> tuple[str, ...]:
        """Variables of the environment that sign in, which `exec`'s child is not given."""
        del options
        return ()

    @classmethod
    def signs_in_as(cls, options: OptionsT, environ: Mapping[str, str]) -> str | None:
        """Who signs in, where the environment tells without asking: another one, another session.

        It becomes part of the names under which sessions and sign-ins are kept.
        """
        del options, environ
        return None

    @classmethod
    def signs_in_for(cls, options: OptionsT, request: Request) -> str | None:
        """What of a request makes its sign-in another one; None where one serves all requests."""
        del options, request
        return None

    @classmethod
    def check(cls, options: OptionsT, request: Request) -> str | None:
        """What the profile lacks or has too much for this provider, or None; contacts nobody."""
        del options, request
        return None

    @classmethod
    def trusted_by(
        cls, options: OptionsT, request: Request, environ: Mapping[str, str]
    ) -> TrustStatement | None:
        """What the trust policy of the request's role must allow; None where it is not ours.

        Args:
            options: The provider's options.
            request: Its `role_arn` is the role.
            environ: A CI job's own variables, or what the person says in their place.
        """
        del options, request, environ
        return None

    @classmethod
    def cannot_narrow(cls, options: OptionsT, request: Request) -> str | None:
        """Why session policies do not narrow its session; None for who hands them on to STS."""
        del options, request
        return "its sign-in takes no session policy"

    @classmethod
    def signs_with_a_session(cls, request: Request) -> bool:
        """Whether the role is taken with temporary credentials, so that AWS calls it chained."""
        del request
        return False

    def totp_entry(self, request: Request) -> str | None:
        """The secret under which `login` looks for a TOTP seed, or None where it takes none."""
        del request
        return None

    def discover(self) -> list[Account]:
        """The accounts and roles that the sign-in reaches.

        Raises:
            UsageError: This kind of provider cannot list them.
        """
        raise UsageError(f"provider {self.name} cannot list accounts and roles")

    @classmethod
    def has_places(cls, options: OptionsT) -> bool:
        """Whether there may be several places, so that `serving` is asked which one it is."""
        del options
        return cls.serving is not Provider.serving

    def serving(self, request: Request) -> str | None:
        """Which of several places gives the request's session, if that is known; asks nobody."""
        del request
        return None

    def sign_in_everywhere(self) -> list[AwsLoginError]:
        """Sign in at each of several places, ahead of need; the failures.

        Raises:
            UsageError: This kind of provider has one place alone.
        """
        raise UsageError(
            f"provider {self.name} has no other Region to sign in to ahead of need",
            hint="`--all-regions` is for Identity Center with `region: [first, second]`",
        )

    def logout(self) -> None:
        """End the sign-in at the provider's side; the broker forgets what is kept here."""


def takes_options(plugin: type[Provider[Any]]) -> bool:
    """Whether its part of the YAML may say more than its type."""
    own = plugin.__mro__[: plugin.__mro__.index(Provider)]
    return any("Options" in vars(base) for base in own)


class KeyHolder(Provider[OptionsT]):
    """A provider whose profiles have a user's own keys in the keychain."""

    @classmethod
    def trusted_by(
        cls, options: OptionsT, request: Request, environ: Mapping[str, str]
    ) -> TrustStatement | None:
        """The user's account, with MFA where the profile has it."""
        del options, environ
        role = str(request.role_arn)
        account = account_of(request.mfa_serial)
        note = "" if account else "the account of the keys is not known: check `Principal`"
        principal = f"arn:{partition_of('', role)}:iam::{account or account_of(role)}:root"
        conditions: dict[str, Any] = {}
        if request.mfa_serial:
            conditions["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
        if request.external_id:
            conditions["StringEquals"] = {"sts:ExternalId": request.external_id}
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": principal},
            "Action": ["sts:AssumeRole", *request.further_trust],
        }
        return statement | ({"Condition": conditions} if conditions else {}), note

    @abstractmethod
    def user_keys(self, profile: str) -> Credentials:
        """The user's own keys.

        Raises:
            KeychainError: There are none, or the keychain is missing, locked or silent.
        """

    @abstractmethod
    def held_keys(self, profile: str) -> Credentials | None:
        """The user's own keys, or None where the keychain holds none (or there is none).

        Raises:
            KeychainError: The keychain is locked or silent.
        """

    @abstractmethod
    def store_keys(self, profile: str, access_key_id: str, secret: Secret) -> None:
        """Put a user's keys into the keychain under a profile's name."""

    @abstractmethod
    def forget_keys(self, profile: str) -> bool:
        """Remove a profile's keys; whether there were any."""

    @abstractmethod
    def rotate_keys(
        self, request: Request, others: Sequence[str] = (), *, keep_inactive: bool = False
    ) -> Rotation:
        """Replace the user's keys at AWS and in the keychain, or finish doing so.

        Args:
            request: The profile that holds the keys.
            others: Profiles that may hold the same pair, and then get the new one too.
            keep_inactive: Deactivate the old key instead of deleting it.

        Raises:
            UsageError: The user has as many keys as AWS allows.
            AwsLoginError: A step failed; the keychain holds keys that work all the same.
        """

    def signer(self, request: Request) -> Credentials:
        """What asks IAM for the user: the keys, or a session of theirs with MFA.

        Raises:
            KeychainError: There are no keys, or the keychain is missing, locked or silent.
        """
        return self.user_keys(request.keys_profile or request.profile)

    @abstractmethod
    def key_created(self, request: Request) -> datetime | None:
        """When AWS made the keys; None where it does not say without MFA."""

    @abstractmethod
    def federate(self, request: Request) -> Credentials:
        """Credentials of the user that the console takes, within the request's policies.

        Raises:
            ConfigError: The request names no policy.
        """
