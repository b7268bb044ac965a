"""This machine as a source: the config, the ages of keys, plain keys, our own log of sign-ins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from broker import aws_files
from broker.errors import AwsLoginError
from broker.events import EventLog
from broker.key_ages import KeyAges
from broker.paths import data_dir
from broker.ports.clock import to_text
from broker.report.finding import Finding, Rule, Source

if TYPE_CHECKING:
    from broker.config import Config, Profile

KEY_DAYS, LONG_SECONDS, REFUSALS = 90, 8 * 3600, 5

PLAIN_KEYS = Rule(
    "plain-keys", "error", "machine", "Keys lie in plain text in the AWS credentials file",
    "Every program that you run can read them, and so can every backup.",
    "awslogin import aws-credentials --remove",
)  # fmt: skip
OLD_KEYS = Rule(
    "stored-key-old", "warning", "machine", f"A stored key is older than {KEY_DAYS} days",
    "The longer a key lives, the more copies of it there are.", "awslogin rotate {profile}",
    "Prowler iam_rotate_access_key_90_days, CIS 2.12",
)  # fmt: skip
WITHOUT_MFA = Rule(
    "static-without-mfa", "warning", "machine", "A profile with keys asks for no MFA code",
    "A copied key is enough.", "set `mfa_serial` of the profile {profile}",
)  # fmt: skip
BESIDE_SSO = Rule(
    "static-beside-sso", "warning", "machine", "Keys are kept for an account that SSO reaches too",
    "They outlive the person's account at the identity provider.",
    "awslogin migrate {profile} --to PROVIDER",
)  # fmt: skip
LONG_SESSION = Rule(
    "long-session", "info", "machine", "A profile asks for sessions of more than 8 hours",
    "A copied session works until it ends.", "shorten `duration` of the profile {profile}",
)  # fmt: skip
REFUSED = Rule(
    "refused-sign-ins", "info", "machine", f"{REFUSALS} or more refused sign-ins from here",
    "A wrong password, a missing role, or somebody who tries.",
    "awslogin events --profile {profile}",
)  # fmt: skip
CANNOT_CARRY = Rule(
    "no-source-identity-here", "warning", "machine",
    "A profile cannot carry the SourceIdentity that the team asks for",
    "What is done by it cannot be traced to a person.",
    "set `source_identity` of the profile {profile}, or take its role by a `source`",
)  # fmt: skip
RULES = (PLAIN_KEYS, OLD_KEYS, WITHOUT_MFA, BESIDE_SSO, LONG_SESSION, REFUSED, CANNOT_CARRY)


def examine(
    source: Source,
    config: Config | None,
    environ: Mapping[str, str],
    since: datetime,
    now: datetime,
) -> Iterator[Finding]:
    """What this machine tells by itself; nobody is contacted."""
    source.start, source.end = to_text(since), to_text(now)
    path = aws_files.credentials_path(environ)
    try:
        for name in aws_files.plain_keys(
            aws_files.read(path, "AWS_SHARED_CREDENTIALS_FILE") or b"", str(path)
        ):
            yield Finding.of(PLAIN_KEYS, name, None, evidence=str(path))
    except AwsLoginError as error:
        source.warnings.append(error.message)
    yield from _refused(source, environ, since)
    if config is None:
        return
    sound = list(_sound(config, source))
    yield from _of_config(config, sound, environ, now)


def _sound(config: Config, source: Source) -> Iterator[Profile]:
    for name in config.names:
        try:
            yield config.profile(name)
        except AwsLoginError as error:
            source.warnings.append(f"{name}: {error.message}")


def _of_config(
    config: Config, profiles: list[Profile], environ: Mapping[str, str], now: datetime
) -> Iterator[Finding]:
    ages = KeyAges(data_dir(environ) / "key-ages", config.key_scope)
    federated = {profile.account for profile in profiles if not profile.keys_profile}
    wanted = config.report.require_source_identity
    for profile in profiles:
        who, account = profile.name, profile.account
        if profile.keys_profile == profile.name:
            age = ages.of(profile.provider_names[-1], profile.name)
            days = (now - age.since).days if age else 0
            if age and days > KEY_DAYS:
                yield Finding.of(
                    OLD_KEYS, who, account, profile=who, evidence=f"{days} days",
                    first_seen=to_text(age.since),
                )  # fmt: skip
            if not profile.mfa_serial:
                yield Finding.of(WITHOUT_MFA, who, account, profile=who)
            if account and account in federated:
                yield Finding.of(BESIDE_SSO, who, account, profile=who)
        if (profile.duration or 0) > LONG_SECONDS:
            hours = f"{(profile.duration or 0) / 3600:g} hours"
            yield Finding.of(LONG_SESSION, who, account, profile=who, evidence=hours)
        if wanted and not profile.carries_source_identity:
            yield Finding.of(CANNOT_CARRY, who, account, profile=who)


def _refused(source: Source, environ: Mapping[str, str], since: datetime) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    for event in EventLog(environ).read(since):
        source.events += 1
        if event.get("outcome") == "refused":
            counts[str(event.get("profile"))] += 1
    for name, count in counts.items():
        if count >= REFUSALS:
            yield Finding.of(REFUSED, name, None, profile=name, count=count)
