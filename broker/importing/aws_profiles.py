"""What a profile of the AWS CLI's means to us: which provider signs it in, and with which options.

Owns that meaning for all sources that read `~/.aws/config`. Source: the AWS SDKs' settings
reference, and the order of botocore's `credentials` module: role, web identity, Identity Center,
keys, console sign-in, process.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from broker.importing import values
from broker.importing.aws_settings import KEYS, Settings
from broker.importing.found import Found
from broker.importing.ini import Section

_WITHOUT_ROLE = (
    "sso_session",
    "sso_start_url",
    "web_identity_token_process",
    "credential_process",
)
SCOPE = "sso:account:access"
_OURS = re.compile(r"(?:\bawslogin\b|broker[/\\]__main__\.py|-m\s+broker\b).*\bcreds\b")
OWN = "it is awslogin's own profile already"
_GRANTED = re.compile(r"\s*d?granted\s+credential-process\b")


@dataclass
class AwsFile:
    """The AWS CLI's files, as one of the tools reads them.

    Attributes:
        profiles: Name → settings, what a tool inherits filled in.
        sessions: The `[sso-session]` sections.
        with_keys: Names of profiles whose own keys lie in the credentials file or a keychain.
        own_keys_first: The tool takes a profile's own keys before all else (aws-vault does).
        tool: For the reasons.
        reasons: The tool's own settings, and why they stay behind.
    """

    profiles: dict[str, Section]
    sessions: dict[str, Section]
    with_keys: Collection[str] = ()
    own_keys_first: bool = False
    tool: str = "the AWS CLI"
    reasons: Mapping[str, str] = field(default_factory=dict)


def translate(file: AwsFile, found: Found) -> None:
    """Put the file's sign-ins and profiles into `found`, in the file's order."""
    found.keys = KEYS
    for name, session in file.sessions.items():
        _instance(found, name, session, name, own=True)
    for name, section in file.profiles.items():
        _translate(file, Settings(name, section, found, file.tool, file.reasons))


def _translate(file: AwsFile, given: Settings) -> None:
    """By the first kind of sign-in that the profile names."""
    has_keys = given.name in file.with_keys
    if has_keys and file.own_keys_first:
        _with_own_keys(given)
    elif given.get("granted_sso_account_id", "granted_sso_role_name"):
        _identity_center(file, given, "granted_sso_")
    elif given.get("web_identity_token_file"):
        _web_identity(given)
    elif given.get("role_arn") and not _signs_in_before_its_role(file, given):
        _role(file, given)
    elif given.get("sso_session", "sso_start_url"):
        _identity_center(file, given, "sso_")
    elif has_keys:
        _with_own_keys(given)
    elif given.get("login_session"):
        _console(given)
    elif given.get("credential_process"):
        _process(given)
    elif file.own_keys_first and given.get("source_profile"):
        given.add({}, source=str(given.take("source_profile")))
    else:
        _nothing(given)


def _signs_in_before_its_role(file: AwsFile, given: Settings) -> bool:
    """aws-vault takes a role with keys or a source alone, and any other sign-in without it."""
    is_chained = given.get("source_profile") not in (None, given.name)
    return bool(file.own_keys_first and not is_chained and given.get(*_WITHOUT_ROLE))


def _with_own_keys(given: Settings) -> None:
    given.use("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "source_profile")
    role = given.role() if given.get("role_arn") else given.mfa()
    given.add(role, provider=given.found.provider("keys", {"type": "static"}))


def _role(file: AwsFile, given: Settings) -> None:
    source, where = given.take("source_profile"), given.take("credential_source")
    if source == given.name or (not source and not where and file.own_keys_first):
        _with_own_keys(given)
    elif source:
        given.add(given.role(), source=source)
    elif where:
        given.leave_out(
            "credential_source",
            f"{where[:40]!r} is the machine's own identity, which needs no sign-in:"
            " keep it in ~/.aws/config",
        )
    else:
        given.leave_out("role_arn", "a role without `source_profile`: no tool can take it")


def _web_identity(given: Settings) -> None:
    place = {"file": given.take("web_identity_token_file")}
    options = {"type": "web-identity", "token": place}
    provider = given.found.provider("web-identity", options)
    given.use("source_profile")
    given.add(given.role(), provider=provider)


def _identity_center(file: AwsFile, given: Settings, prefix: str) -> None:
    account, role = given.take(f"{prefix}account_id"), given.take(f"{prefix}role_name")
    provider = _sign_in(file, given, prefix)
    if provider is None:
        return
    if not (account and role):
        given.found.hints.append(f"awslogin discover {provider} --write")
        given.leave_out(
            f"{prefix}account_id",
            "names no account and role: `awslogin discover --write` adds those it reaches",
        )
        return
    for key in ("duration_seconds", "mfa_serial", "role_session_name"):
        if given.take(key):
            given.leave_out(key, "Identity Center decides it")
    if prefix == "granted_sso_":
        given.use("credential_process", "granted_sso_registration_scopes")
        given.use("granted_skip_credential_process_validation")
    given.add({"account": account, "role": role}, provider=provider)


def _sign_in(file: AwsFile, given: Settings, prefix: str) -> str | None:
    """The provider: that of `[sso-session]`, else of the profile's own settings."""
    session = given.take("sso_session")
    inline = {
        "sso_start_url": given.take(f"{prefix}start_url") or "",
        "sso_region": given.take(f"{prefix}region") or "",
        "sso_registration_scopes": given.get("granted_sso_registration_scopes") or "",
    }
    if session and session in file.sessions:
        merged = dict(file.sessions[session])
        if prefix != "sso_":
            merged |= {key: value for key, value in inline.items() if value}
        return _instance(given.found, session, merged, given.name, own=True)
    if session and not inline["sso_start_url"]:
        given.leave_out("sso_session", f"there is no [sso-session {session[:60]}]")
        return None
    name = values.site(inline["sso_start_url"], "sso")
    return _instance(given.found, name, inline, given.name)


def _instance(
    found: Found, name: str, session: Section, source: str, *, own: bool = False
) -> str | None:
    """The provider of an `[sso-session]`, or of the settings of a profile before there were any."""
    url, region = session.get("sso_start_url"), session.get("sso_region")
    if not (url and region):
        missing = "sso_region" if url else "sso_start_url"
        reason = f"there is no `{missing}`: nobody can sign in without it"
        found.leave_out(source, "sso_start_url", reason)
        return None
    scopes = values.comma_separated(session.get("sso_registration_scopes"))
    options = {
        "type": "identity-center",
        "start_url": values.start_url(url),
        "region": region,
        "scopes": scopes if scopes and scopes != [SCOPE] else None,
    }
    return found.provider(name, options, own=own)


def _console(given: Settings) -> None:
    arn = given.take("login_session") or ""
    parts = re.fullmatch(r"arn:([\w-]+):(?:sts|iam)::(\d{12}):(.+)", arn)
    role = parts and re.fullmatch(r"assumed-role/([^/]+)/.+", parts.group(3))
    pinned: dict[str, object] = {"account": parts.group(2)} if parts else {}
    if parts and role:
        partition, account = parts.group(1), parts.group(2)
        pinned = {"role_arn": f"arn:{partition}:iam::{account}:role/{role.group(1)}"}
    given.add(pinned, provider=given.found.provider("console", {"type": "aws-login"}))


def _process(given: Settings) -> None:
    line = given.take("credential_process") or ""
    if _OURS.search(line):
        given.leave_out("credential_process", OWN)
        return
    if _GRANTED.match(line):
        given.leave_out(
            "credential_process",
            "granted's own keychain signs it in: `granted credentials export-plaintext`"
            " shows the keys, `awslogin add` takes them",
        )
        return
    try:
        command = shlex.split(line)
    except ValueError:
        given.leave_out("credential_process", "its quotes do not close")
        return
    options = {"type": "process", "command": command}
    given.add({}, provider=given.found.provider(given.name, options))


def _nothing(given: Settings) -> None:
    if given.get("aws_session_token"):
        given.leave_out("aws_session_token", "a session that runs out is not taken over")
    elif given.get("aws_access_key_id"):
        given.leave_out("aws_access_key_id", "keys in the file: `awslogin import aws-config`")
    elif given.has("azure_"):
        given.leave_out("azure_tenant_id", "`awslogin import aws-azure-login` takes it over")
    elif given.get("web_identity_token_process"):
        given.leave_out(
            "web_identity_token_process",
            "a command that makes a token: sign in with a provider of type `oidc`,"
            " or let it write a file for `web-identity`",
        )
    else:
        given.leave_out("", "it names no way to sign in: settings alone")
