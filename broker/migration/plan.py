"""The first step of a migration, before anything is changed: proof that the new way leads there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from broker import login
from broker.arn import account_of
from broker.broker import Broker
from broker.config import Config, Profile
from broker.config.document import parse
from broker.config.entry_change import ProfileEntry
from broker.config.loading import of_document
from broker.credentials import Credentials
from broker.errors import AwsLoginError, ConfigError, RoleRefused, UsageError
from broker.migration.only_role import only_role
from broker.migration.permissions import differences
from broker.migration.record import Migration
from broker.ports.clock import to_text
from broker.provider import KeyHolder
from broker.user_keys import profiles_with

if TYPE_CHECKING:
    from broker.session import Session


@dataclass(frozen=True)
class Target:
    """Where a profile goes.

    Attributes:
        provider: The new provider's name.
        account: 12 digits; None takes the account of the profile.
        role: Its role; None takes the profile's own, or the only one that there is.
    """

    provider: str
    account: str | None = None
    role: str | None = None


@dataclass(frozen=True)
class Plan:
    """A migration that can begin.

    Attributes:
        migration: As it is remembered once it has begun.
        content: The config with the change.
        arn: What the new provider gave.
        remarks: How permissions differ, what could not be read, which profiles depend on this one.
    """

    migration: Migration
    content: bytes
    arn: str
    remarks: tuple[str, ...]


def planned(
    broker: Broker,
    environ: Mapping[str, str],
    profile: Profile,
    target: Target,
    *,
    quiet_days: float,
) -> Plan:
    """Sign in by the new provider, and see that it reaches the profile's account.

    Raises:
        UsageError: The profile has no keys of its own, or the role must be named.
        ConfigError: The config would be spoiled by the change.
        RoleRefused: The new provider reaches another account.
        AwsLoginError: As the sign-in has it.
    """
    holder = key_holder(broker, profile)
    _check_target(broker.config, target)
    keys, user_arn = _user(broker, holder, profile)
    account = target.account or profile.account or account_of(user_arn) or ""
    old = ProfileEntry(broker.config.content, str(broker.config.path), profile.name)

    def with_role(role: str | None) -> tuple[bytes, Config]:
        new = {"provider": target.provider, "account": account, "role": role}
        gone = dict.fromkeys(("mfa_serial", "mfa_process", "role_arn", "external_id"))
        content = old.with_values({**gone, **new})
        return content, candidate(broker.config, environ, content)

    content, changed = with_role(
        target.role
        or profile.role
        or only_role(broker, target.provider, account, without=lambda: with_role(None))
    )
    session = login.Login(Broker(changed, broker.ui, environ, broker.clock)).session(
        changed.profile(profile.name), login.SessionRequirements()
    )
    arn = _proven(broker, session, account)
    migration = _migration(broker, holder, profile, keys.access_key_id, user_arn)
    after = ProfileEntry(content, migration.file, profile.name).text
    migration = replace(
        migration, to=target.provider, before=old.text, after=after, quiet_days=quiet_days
    )
    remarks = [
        *_differences(broker, session, user_arn, arn),
        *_dependents(broker.config, profile),
        *_twins(broker.config, holder, profile, keys.access_key_id),
    ]
    return Plan(migration, content, arn, tuple(remarks))


def taken_up(broker: Broker, profile: Profile, *, quiet_days: float) -> Plan | None:
    """The plan where the config names the new provider already; None where no keys are left behind.

    So it is for the colleagues of whoever changed the team's config.

    Raises:
        RoleRefused: The new provider reaches another account.
        AwsLoginError: As the sign-in has it.
    """
    holder = _left_behind(broker, profile)
    if holder is None:
        return None
    keys, user_arn = _user(broker, holder, profile)
    session = login.Login(broker).session(profile, login.SessionRequirements())
    arn = _proven(broker, session, profile.account or account_of(user_arn) or "")
    migration = _migration(broker, holder, profile, keys.access_key_id, user_arn)
    migration = replace(migration, to=session.provider, quiet_days=quiet_days)
    remarks = _differences(broker, session, user_arn, arn)
    return Plan(migration, broker.config.content, arn, tuple(remarks))


def _left_behind(broker: Broker, profile: Profile) -> KeyHolder[Any] | None:
    """The provider that still holds keys for a profile that names it no more."""
    if profile.keys_profile is not None:
        return None
    for name in broker.config.provider_names:
        if issubclass(broker.config.provider(name).plugin, KeyHolder):
            holder, _ = broker.plugins.named(name)
            if isinstance(holder, KeyHolder) and holder.held_keys(profile.name):
                return holder
    return None


def _user(broker: Broker, holder: KeyHolder[Any], profile: Profile) -> tuple[Credentials, str]:
    """The keys, and the ARN of the IAM user whose they are.

    Raises:
        UsageError: They are no IAM user's.
    """
    keys = holder.user_keys(profile.name)
    arn = broker.aws.caller_identity(keys, profile.region)["Arn"]
    if ":user/" not in arn:
        raise UsageError(
            f"the keys of {profile.name} are those of {arn}, which is no IAM user",
            hint="delete root's keys in the console",
        )
    return keys, arn


def _migration(
    broker: Broker, holder: KeyHolder[Any], profile: Profile, key_id: str, user_arn: str
) -> Migration:
    return Migration(
        profile=profile.name,
        source=holder.name,
        to="",
        key_id=key_id,
        user=user_arn.rpartition("/")[2],
        account_id=account_of(user_arn) or "",
        region=profile.region,
        mfa_serial=profile.mfa_serial,
        file=str(broker.config.path),
        before="",
        after="",
        stage="switching",
        since=to_text(broker.clock.now()),
        quiet_days=0,
    )


def _differences(broker: Broker, session: Session, user_arn: str, arn: str) -> list[str]:
    if ":assumed-role/" not in arn:
        return [f"{arn} is no role: what it may is not compared"]
    return differences(
        broker.aws,
        broker.clock,
        session.credentials(),
        session.region,
        user_arn=user_arn,
        role=arn.split("/")[1],
    )


def key_holder(broker: Broker, profile: Profile) -> KeyHolder[Any]:
    """The provider that holds the profile's keys.

    Raises:
        UsageError: It has none of its own.
    """
    identity = broker.plugins.keys_identity(profile)
    if identity and profile.keys_profile == profile.name:
        holder = broker.plugins.provider(identity)
        assert isinstance(holder, KeyHolder)
        return holder
    owner = profile.keys_profile
    command = f"migrate {owner} --to PROVIDER" if owner else "migrate --status"
    raise UsageError(f"{profile.name} has no static keys of its own", hint=f"`awslogin {command}`")


def _check_target(config: Config, target: Target) -> None:
    spec = config.provider(target.provider)
    if issubclass(spec.plugin, KeyHolder):
        raise UsageError(
            f"provider {target.provider} holds static keys too", hint="name another one by --to"
        )


def candidate(config: Config, environ: Mapping[str, str], content: bytes) -> Config:
    """The config after the change, which may spoil no profile.

    Raises:
        ConfigError: It does.
    """
    file = str(config.path)
    changed = of_document(parse(content, file), config.path, environ, content)
    known = {error.profile for error in config.problems}
    new = [error for error in changed.problems if error.profile not in known]
    if new:
        raise ConfigError(
            f"the change would spoil {', '.join(str(error.profile) for error in new)}:"
            f" {new[0].reason}",
            hint=new[0].hint or "change that first",
        )
    return changed


def _proven(broker: Broker, session: Session, account: str) -> str:
    """The session's ARN, which lies in the account.

    Raises:
        RoleRefused: It does not.
    """
    arn = session.arn
    if arn is None:
        identity = broker.aws.caller_identity(session.credentials(), session.region)
        arn = identity["Arn"]
    if account_of(arn) != account or "/" not in arn:
        raise RoleRefused(
            f"the new provider leads to {arn}, not to account {account}",
            hint="name the account and role: `--account`, `--role`",
        )
    return arn


def _dependents(config: Config, profile: Profile) -> list[str]:
    """What changes for profiles that take their roles with these keys."""
    consequences = []
    for name in config.names:
        try:
            other = config.profile(name)
        except AwsLoginError:
            continue
        if other.source is profile or (other.source and other.source.name == profile.name):
            consequences.append(
                f"{name} takes its role with these keys: from now on with the new session, so"
                f" {other.role_arn} must trust its role, and lasts an hour at most"
            )
    return consequences


def _twins(config: Config, holder: KeyHolder[Any], profile: Profile, key_id: str) -> list[str]:
    """Which profiles have to leave the same key too, before it is deactivated."""
    return [
        f"{name} signs in with the same key {key_id}: it stays active until {name} has left it too"
        for name in profiles_with(config, holder, key_id)
        if name != profile.name
    ]
