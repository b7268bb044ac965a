"""What a provider is asked for and what it gives: plain values, and how keys look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from broker.errors import UsageError
from broker.secret import Secret

_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
_SECRET = re.compile(r"[!-~]{16,128}")


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


@dataclass(frozen=True, kw_only=True)
class RoleParameters:
    """All that shapes a session, beside the sign-in it stands on: each field is part of its id.

    Attributes:
        region: The region whose endpoints are used.
        account: 12 digits.
        role: The role's name, with its path.
        role_arn: Given, or made of `account` and `role` and the region's partition; else None.
        duration: Asked length of the session, in seconds; None leaves it to the provider.
        mfa_process: The command that prints a one-time code.
        policy: A session policy, as JSON text.
        policy_arns: Managed policies that are session policies too.
    """

    region: str
    account: str | None = None
    role: str | None = None
    role_arn: str | None = None
    duration: int | None = None
    mfa_serial: str | None = None
    mfa_process: str | None = None
    external_id: str | None = None
    session_name: str | None = None
    session_tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tags: tuple[str, ...] = ()
    source_identity: str | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Request(RoleParameters):
    """What one profile asks of its provider.

    Attributes:
        profile: The profile's name, for messages.
        keys_profile: Of a static provider: the profile under whose name the keys lie.
        force: The person wants a new session: recalled role sessions do not count, the provider's
            own sign-in does.
    """

    profile: str
    keys_profile: str | None = None
    force: bool = False

    @property
    def further_trust(self) -> list[str]:
        """Actions that the role's trust policy must allow beside taking it."""
        tags = ["sts:TagSession"] if self.session_tags else []
        return [*tags, *(["sts:SetSourceIdentity"] if self.source_identity else [])]

    @property
    def keys(self) -> str | None:
        """The older name of `keys_profile`, for plugins that were written against it."""
        return self.keys_profile


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


@dataclass(frozen=True)
class Rotation:
    """What a rotation of a user's keys has done.

    Attributes:
        access_key_id: The new key's.
        old_access_key_id: The old one's; None where a rerun had nothing left to do with it.
        old_is: What became of it.
        created_at: When AWS made the new key, UTC.
        profiles: Every profile whose keychain entry holds the new pair.
    """

    access_key_id: str
    old_access_key_id: str | None
    old_is: Literal["deleted", "inactive"]
    created_at: datetime
    profiles: tuple[str, ...]


def access_key(key_id: object, secret: object) -> tuple[str, Secret]:
    """A user's own keys, as far as their form tells.

    Raises:
        UsageError: They are none; it does not repeat them.
    """
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise UsageError("that is no access key id", hint="it looks like AKIAIOSFODNN7EXAMPLE")
    if key_id.startswith("ASIA"):
        raise UsageError(
            "that is a temporary session's key (ASIA…)", hint="add the user's own AKIA… key"
        )
    if not isinstance(secret, str) or not _SECRET.fullmatch(secret):
        raise UsageError("that is no secret access key", hint="copy it whole, without spaces")
    return key_id, Secret(secret)
