"""IAM's credential report of an account, and what is looked for in it.

Source: IAM User Guide, "Getting credential reports for your AWS account".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from broker.credentials import Credentials
from broker.errors import NetworkError, UnexpectedReply
from broker.ports.aws import Aws
from broker.ports.clock import Clock, to_text
from broker.report.finding import Finding, Rule, Severity

OLD, IDLE, UNUSED = timedelta(days=90), timedelta(days=45), timedelta(days=7)
PATIENCE_SECONDS, PAUSE_SECONDS = 60.0, 2.0
MAX_BYTES = 64 << 20
ROOT = "<root_account>"
_NOTHING = {"", "N/A", "no_information", "not_supported"}


def _rule(id_: str, severity: Severity, title: str, *texts: str) -> Rule:
    return Rule(id_, severity, "credential-report", title, *texts)


KEY_OLD = _rule(
    "key-old", "warning", "A key is older than 90 days",
    "The longer a key lives, the more copies of it there are.", "awslogin rotate {profile}",
    "Prowler iam_rotate_access_key_90_days, CIS 2.12",
)  # fmt: skip
KEY_UNUSED = _rule(
    "key-unused", "warning", "A key has not been used for 45 days",
    "Nobody would notice that it is gone, or that it is used.",
    "aws iam update-access-key --status Inactive --user-name {who} --access-key-id ID",
    "Prowler iam_user_accesskey_unused, CIS 2.11",
)  # fmt: skip
KEY_NEVER_USED = _rule(
    "key-never-used", "warning", "A key has never been used", "It is there for nothing.",
    "aws iam delete-access-key --user-name {who} --access-key-id ID",
    "Prowler iam_user_no_setup_initial_access_key",
)  # fmt: skip
TWO_KEYS = _rule(
    "two-active-keys", "warning", "A user has two active keys",
    "Twice as much to lose; a rotation that was not finished.", "awslogin rotate {profile}",
    "Prowler iam_user_two_active_access_key",
)  # fmt: skip
ROOT_KEY = _rule(
    "root-has-key", "error", "The root user has a key", "It can do everything, without a person.",
    "delete it at the console, signed in as root", "Prowler iam_no_root_access_key, CIS 2.4",
)  # fmt: skip
ROOT_MFA = _rule(
    "root-without-mfa", "error", "The root user has no MFA device", "A password is enough.",
    "register a device at the console, signed in as root",
    "Prowler iam_root_hardware_mfa_enabled, CIS 2.6",
)  # fmt: skip
PASSWORD_MFA = _rule(
    "password-without-mfa", "error", "A console password without MFA", "A password is enough.",
    "give {who} an MFA device, or take the password away",
    "Prowler iam_user_mfa_enabled_console_access, CIS 2.10",
)  # fmt: skip
PASSWORD_IDLE = _rule(
    "password-idle", "warning", "A console password has not been used for 45 days",
    "Nobody would notice that it is used.", "aws iam delete-login-profile --user-name {who}",
    "Prowler iam_user_console_access_unused",
)  # fmt: skip
USER_BESIDE_SSO = _rule(
    "user-beside-sso", "warning", "A user with keys where the team signs in by SSO",
    "The keys outlive the person's account at the identity provider.",
    "awslogin migrate {profile} --to PROVIDER", "Prowler iam_user_with_temporary_credentials",
)  # fmt: skip
RULES = (
    KEY_OLD, KEY_UNUSED, KEY_NEVER_USED, TWO_KEYS, ROOT_KEY, ROOT_MFA, PASSWORD_MFA, PASSWORD_IDLE,
    USER_BESIDE_SSO,
)  # fmt: skip


def fetch(aws: Aws, credentials: Credentials, region: str, clock: Clock) -> list[dict[str, str]]:
    """The report's rows; a new report is made where there is none.

    Raises:
        RoleRefused: The session may not read it.
        NetworkError: It is not ready in a minute.
        UnexpectedReply: It is no such report.
    """
    client = aws.client("iam", region, credentials)
    end = clock.monotonic() + PATIENCE_SECONDS
    while True:
        with aws.errors("GenerateCredentialReport"):
            state = client.generate_credential_report().get("State")
        if state == "COMPLETE":
            break
        if clock.monotonic() > end:
            raise NetworkError("IAM's credential report is not ready", hint="try again later")
        clock.sleep(PAUSE_SECONDS)
    with aws.errors("GetCredentialReport"):
        content = client.get_credential_report().get("Content")
    if not isinstance(content, bytes) or len(content) > MAX_BYTES:
        raise UnexpectedReply("GetCredentialReport answered without a report")
    try:
        table = csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace")))
        rows = [row for row in table if row.get("user")]
    except csv.Error as error:
        raise UnexpectedReply(f"IAM's credential report is no table: {error}") from None
    lacking = {"user", "arn", "password_enabled", "mfa_active"}.difference(table.fieldnames or ())
    if lacking:
        raise UnexpectedReply(f"IAM's credential report lacks {', '.join(sorted(lacking))}")
    return rows


def examine(
    rows: list[dict[str, str]], account_id: str, now: datetime, *, profile: str, by_sso: bool
) -> Iterator[Finding]:
    """What is found in the rows of one account.

    Args:
        rows: The report.
        account_id: Whose.
        now: The time.
        profile: Of the team's config, for the mends.
        by_sso: The team signs in to this account by single sign-on.
    """
    for row in rows:
        found = _of_root(row) if row.get("user") == ROOT else _of_user(row, now, by_sso=by_sso)
        for rule, evidence, since in found:
            who = "root" if row.get("user") == ROOT else row["user"]
            yield Finding.of(
                rule, who, account_id, profile=profile, evidence=evidence,
                first_seen=to_text(since) if since else None,
            )  # fmt: skip


Found = Iterator[tuple[Rule, str, datetime | None]]


def _of_root(row: Mapping[str, str]) -> Found:
    if any(_is(row, f"access_key_{number}_active") for number in (1, 2)):
        yield ROOT_KEY, "", None
    if not _is(row, "mfa_active"):
        yield ROOT_MFA, "", None


def _of_user(row: Mapping[str, str], now: datetime, *, by_sso: bool) -> Found:
    active = [number for number in (1, 2) if _is(row, f"access_key_{number}_active")]
    for number in active:
        made = _time(row, f"access_key_{number}_last_rotated")
        used = _time(row, f"access_key_{number}_last_used_date")
        if made and now - made > OLD:
            yield KEY_OLD, f"key {number}: {(now - made).days} days", made
        if used and now - used > IDLE:
            yield KEY_UNUSED, f"key {number}: {(now - used).days} days", used
        if not used and made and now - made > UNUSED:
            yield KEY_NEVER_USED, f"key {number}", made
    if len(active) > 1:
        yield TWO_KEYS, "", None
    if active and by_sso:
        yield USER_BESIDE_SSO, "", None
    if _is(row, "password_enabled"):
        if not _is(row, "mfa_active"):
            yield PASSWORD_MFA, "", None
        last = _time(row, "password_last_used") or _time(row, "password_last_changed")
        if last and now - last > IDLE:
            yield PASSWORD_IDLE, f"{(now - last).days} days", last


def _is(row: Mapping[str, str], name: str) -> bool:
    return (row.get(name) or "").lower() == "true"


def _time(row: Mapping[str, str], name: str) -> datetime | None:
    text = row.get(name) or ""
    if text in _NOTHING:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
