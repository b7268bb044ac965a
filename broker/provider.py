"""All that the author of a provider plugin reads.

A provider is a class that is named in the entry-point group `awslogin.providers`. The broker checks
the YAML against its `Options`, hands it a few `Ports`, asks it to `login`, and turns the
`Credentials` into a cached session. A provider never sees the cache, the command line or a
terminal: it asks through its ports, and the broker decides how (or whether) a person is asked.

    class Vending(Provider):
        class Options(ProviderOptions):
            url: str

        def login(self, request: Request) -> Credentials:
            reply = self.ports.http.session().get(self.options.url)
            ...

Errors are those of `broker.errors`. `broker/testing.py` holds the tests that every provider passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from broker.errors import UsageError
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.ports import Ports

__all__ = ["Account", "Credentials", "KeyHolder", "Provider", "ProviderOptions", "Request"]


@dataclass(frozen=True)
class Credentials:
    """What a sign-in gives.

    Attributes:
        access_key_id: `ASIA…` (or a user's own `AKIA…` where no session was asked for).
        secret_access_key: Its secret.
        session_token: None for a user's own keys alone.
        expires_at: UTC; None for a user's own keys alone.
        arn: The signed-in principal where the reply says it, else None.
        account_id: 12 digits where the reply says it, else None.
    """

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None
    expires_at: datetime | None = None
    arn: str | None = None
    account_id: str | None = None


@dataclass(frozen=True)
class Request:
    """What one profile asks of its provider. All durations are seconds.

    Attributes:
        profile: The profile's name, for messages.
        keys: Of a static provider: the profile under whose name the keys lie.
        region: The region whose endpoints are used.
        duration: Asked length of the session; None leaves it to the provider.
        force: The person wants a new session: recalled role sessions do not count, the provider's
            own sign-in does.
        role_arn: Given, or made of `account` and `role` and the region's partition; else None.
    """

    profile: str
    region: str
    account: str | None = None
    role: str | None = None
    role_arn: str | None = None
    duration: int | None = None
    keys: str | None = None
    mfa_serial: str | None = None
    mfa_process: str | None = None
    external_id: str | None = None
    session_name: str | None = None
    session_tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tags: tuple[str, ...] = ()
    source_identity: str | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    force: bool = False


@dataclass(frozen=True)
class Account:
    """An account that a sign-in reaches, and the roles in it.

    Attributes:
        account_id: 12 digits.
        account_name: None where the provider does not know it.
        roles: Role names with their path, without `role/`.
    """

    account_id: str
    account_name: str | None
    roles: tuple[str, ...]


class ProviderOptions(BaseModel):
    """Base of every provider's options: an unknown key in the YAML is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Provider(ABC):
    """One way of signing in.

    Attributes:
        Options: The model of this provider's part of the YAML (beside `type`).
        name: The provider's name in the YAML.
        options: The checked options, an instance of `Options`.
        ports: The way to the network, AWS, the person, the keychain, the clock and a browser.
    """

    Options: ClassVar[type[ProviderOptions]] = ProviderOptions

    def __init__(self, name: str, options: Any, ports: Ports) -> None:
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
    def cannot_work_here(cls, options: Any, environ: Mapping[str, str]) -> str | None:
        """Why this provider cannot work in this environment, or None; asks nobody.

        Of `provider: [a, b]` the first one without a reason is taken.
        """
        del options, environ
        return None

    @classmethod
    def check(cls, options: Any, request: Request) -> str | None:
        """What the profile lacks or has too much for this provider, or None; contacts nobody."""
        del options, request
        return None

    def discover(self) -> list[Account]:
        """The accounts and roles that the sign-in reaches.

        Raises:
            UsageError: This kind of provider cannot list them.
        """
        raise UsageError(f"provider {self.name} cannot list accounts and roles")

    def logout(self) -> None:
        """End the sign-in at the provider's side; the broker forgets what is kept here."""


class KeyHolder(Provider):
    """A provider whose profiles have a user's own keys in the keychain."""

    @abstractmethod
    def user_keys(self, profile: str) -> Credentials:
        """The user's own keys.

        Raises:
            KeychainError: There are none, or the keychain is missing, locked or silent.
        """

    @abstractmethod
    def store_keys(self, profile: str, access_key_id: str, secret: Secret) -> None:
        """Put a user's keys into the keychain under a profile's name."""

    @abstractmethod
    def forget_keys(self, profile: str) -> bool:
        """Remove a profile's keys; whether there were any."""
