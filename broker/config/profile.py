"""One profile, resolved: every value with the place it comes from, and the rules of durations."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from broker.arn import partition_of
from broker.config.origin import Origin
from broker.config.session_names import as_session_name
from broker.credentials import Request, RoleParameters
from broker.durations import HOUR, MINUTE
from broker.errors import UsageError
from broker.regions import flaw_in_region

if TYPE_CHECKING:
    from broker.provider import Provider

SHORTEST = 15 * MINUTE
LONGEST_ROLE = 12 * HOUR
LONGEST_CHAINED = HOUR
LONGEST_SESSION = 36 * HOUR
"""Seconds; AWS STS API Reference, DurationSeconds of AssumeRole and GetSessionToken."""
LONGEST_SESSION_NAME = 64
"""Letters; AWS STS API Reference, RoleSessionName."""


@dataclass(frozen=True)
class ProviderSpec:
    """A provider of the YAML.

    Attributes:
        options: An instance of the plugin's `Options`.
        written: The same as the YAML has them, `${…}` filled in.
    """

    name: str
    plugin: type[Provider[Any]]
    options: Any
    type: str
    origins: Mapping[str, Origin] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Profile(RoleParameters):
    """A profile: what shapes its session, who signs in for it, and where each value comes from.

    Attributes:
        provider_names: Empty where the session is taken from `source`.
        source: The profile whose session, or whose user's keys, take this role.
        keys_profile: The static profile whose long-lived keys sign for this one, else None.
        sign_in_region: Where it signs in, if `region` is one from the command line, else None.
        narrowed: What the command line narrows its session to: the ARNs of its session policies,
            and `policy:` with the beginning of its policy's SHA-256.
        origins: Name of a value → where it comes from.
    """

    name: str
    team: str
    provider_names: tuple[str, ...]
    source: Profile | None
    tags: Mapping[str, str] = field(default_factory=dict)
    keys_profile: str | None = None
    sign_in_region: str | None = None
    narrowed: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @cached_property
    def depth(self) -> int:
        """How many profiles stand one behind the other, this one included."""
        return 1 + (self.source.depth if self.source else 0)

    @property
    def root(self) -> Profile:
        """The profile at the start of the chain: the one that a provider signs in."""
        return self.source.root if self.source else self

    @property
    def is_chained(self) -> bool:
        """Whether the role is taken with another profile's temporary credentials."""
        return self.source is not None and self.keys_profile is None

    @property
    def base(self) -> Profile:
        """The profile whose session the chain begins with: no other's session is needed for it."""
        return self.source.base if self.source and self.is_chained else self

    @property
    def carries_source_identity(self) -> bool:
        """Whether its session names the person: of all sign-ins AssumeRole alone takes a name."""
        assumed = bool(self.source or self.keys_profile) and self.role_arn is not None
        return assumed and bool(self.source_identity)

    @property
    def is_bare_keys(self) -> bool:
        """Whether this is a user with keys and no role of its own."""
        return self.keys_profile == self.name and self.role_arn is None

    @property
    def longest(self) -> int:
        """Seconds that AWS gives at most."""
        if self.is_chained:
            return LONGEST_CHAINED
        return LONGEST_SESSION if self.is_bare_keys else LONGEST_ROLE

    @property
    def role_parameters(self) -> RoleParameters:
        """What shapes its session; one without a session name gets the person's own."""
        own = {name: getattr(self, name) for name in _PARAMETERS}
        return RoleParameters(**own | {"session_name": self.session_name or _name_of_user()})

    def request(self, *, force: bool = False) -> Request:
        """What it asks of its provider; with a source's keys go the source's MFA settings."""
        mfa = self.source if self.source and self.keys_profile else self
        parameters = replace(
            self.role_parameters,
            region=self.sign_in_region or self.region,
            mfa_serial=self.mfa_serial or mfa.mfa_serial,
            mfa_process=self.mfa_process or mfa.mfa_process,
        )
        return Request(
            **vars(parameters), profile=self.name, keys_profile=self.keys_profile, force=force
        )

    def with_duration(self, seconds: int) -> Profile:
        """The same profile with a duration from the command line.

        Raises:
            UsageError: AWS does not give that.
        """
        problem = self.refuses(seconds)
        if problem:
            raise UsageError(f"--duration: {problem}", profile=self.name)
        return replace(self, duration=seconds)

    def with_region(self, region: str) -> Profile:
        """The same profile, whose session is used in a region from the command line.

        Raises:
            UsageError: There is no such region, or the role is in another partition.
        """
        problem = flaw_in_region(region)
        theirs = partition_of(self.region, self.role_arn)
        if not problem and partition_of(region) != theirs:
            problem = f"{region} is in {partition_of(region)}, {self.name} in {theirs}"
        if problem:
            raise UsageError(f"--region: {problem}", profile=self.name)
        return replace(self, region=region, sign_in_region=self.sign_in_region or self.region)

    def narrowed_to(self, policy: str | None, policy_arns: tuple[str, ...]) -> Profile:
        """The same profile, whose session is the role within policies from the command line.

        AWS takes the policies of one call as a union, which it intersects with the role: beside
        policies of the profile's own, others would widen it. So none but the same are taken there.

        Args:
            policy: A session policy, as compact JSON.
            policy_arns: Managed policies, sorted.

        Raises:
            UsageError: The profile has policies of its own.
        """
        own = {_compact(self.policy), *self.policy_arns} - {None}
        asked = {_compact(policy), *policy_arns} - {None}
        if own and own != asked:
            raise UsageError(
                f"{self.name} has session policies of its own, and AWS allows what any policy of"
                " a session allows: with another one it would be wider, not narrower",
                hint=f"write the narrower policy into `{self.name}`, or into a profile of its own",
                profile=self.name,
            )
        suffix = "-ro" if policy_arns == (read_only(self),) and not policy else "-narrowed"
        name = (self.session_name or _name_of_user())[: LONGEST_SESSION_NAME - len(suffix)]
        inline = (f"policy:{sha256(policy.encode()).hexdigest()[:12]}",) if policy else ()
        return replace(
            self,
            policy=policy,
            policy_arns=policy_arns,
            session_name=f"{name}{suffix}",
            narrowed=(*policy_arns, *inline),
        )

    def refuses(self, seconds: int) -> str | None:
        """Why AWS would not give a session of this length, or None."""
        if seconds < SHORTEST:
            return "AWS gives sessions of at least 15 minutes"
        if seconds <= self.longest:
            return None
        if self.is_chained:
            assert self.source
            return (
                "AWS gives at most 1 hour to a role that is taken from temporary credentials"
                f" (here those of {self.source.name})"
            )
        return f"AWS gives at most {self.longest // HOUR} hours here"


_PARAMETERS = tuple(field.name for field in fields(RoleParameters))


def read_only(profile: Profile) -> str:
    """AWS's own policy that allows to read, in the partition of the profile's role."""
    partition = partition_of(profile.region, profile.role_arn)
    return f"arn:{partition}:iam::aws:policy/ReadOnlyAccess"


def _compact(policy: str | None) -> str | None:
    """A policy as one text for all ways to write it; one that is no JSON stays as it is."""
    try:
        return json.dumps(json.loads(policy), sort_keys=True) if policy else None
    except (ValueError, RecursionError):
        return policy


@cache
def _name_of_user() -> str:
    """The user's own name in the letters that STS takes as RoleSessionName."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = ""
    return as_session_name(user)
