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
from broker.importing.found import Found
from broker.importing.ini import Section

SCOPE = "sso:account:access"
_SDK = "a setting of the AWS CLI and SDKs, not of a sign-in: keep it in ~/.aws/config"
_SDK_SETTINGS = """
output s3 s3api services endpoint_url endpoint_discovery_enabled max_attempts retry_mode
defaults_mode parameter_validation tcp_keepalive api_versions use_fips_endpoint
use_dualstack_endpoint sts_regional_endpoints ec2_metadata_service_endpoint
ec2_metadata_service_endpoint_mode account_id_endpoint_mode sdk_ua_app_id
request_min_compression_size_bytes disable_request_compression metadata_service_timeout
metadata_service_num_attempts ignore_configured_endpoint_urls sigv4a_signing_region_set
request_checksum_calculation response_checksum_validation dynamodb auth_scheme_preference
user_agent_extra s3_disable_multiregion_access_points
"""
_NOT_HERE = {
    **dict.fromkeys(_SDK_SETTINGS.split(), _SDK),
    "ca_bundle": "set AWS_CA_BUNDLE: it holds for all profiles",
    "aws_access_key_id": "keys go to the keychain: `awslogin import aws-credentials` or `add`",
    "aws_secret_access_key": "keys go to the keychain: `awslogin import aws-credentials` or `add`",
    "aws_session_token": "a session that runs out is not taken over",
}
_TEXT_ROLE = ("external_id", "source_identity")
_OURS = re.compile(r"\bawslogin\b.*\bcreds\b")
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
    """

    profiles: dict[str, Section]
    sessions: dict[str, Section]
    with_keys: Collection[str] = ()
    own_keys_first: bool = False
    tool: str = "the AWS CLI"
    reasons: Mapping[str, str] = field(default_factory=dict)


def translate(file: AwsFile, found: Found) -> None:
    """Put the file's sign-ins and profiles into `found`, in the file's order."""
    for name, session in file.sessions.items():
        _identity_center(found, name, session, name, own=True)
    for name, section in file.profiles.items():
        _Profile(file, found, name, section).translate()


def _identity_center(
    found: Found, name: str, session: Section, told: str, *, own: bool = False
) -> str | None:
    """The provider of an `[sso-session]`, or of the settings of a profile before there were any."""
    url, region = session.get("sso_start_url"), session.get("sso_region")
    if not (url and region):
        found.leave_out(told, "sso_start_url", "without `sso_start_url` and `sso_region`")
        return None
    scopes = values.words(session.get("sso_registration_scopes"))
    return found.provider(
        name,
        {
            "type": "identity-center",
            "start_url": url,
            "region": region,
            "scopes": scopes if scopes and scopes != [SCOPE] else None,
        },
        own=own,
    )


class _Profile:
    """One profile on its way over; what is used of it is noted, the rest is told."""

    def __init__(self, file: AwsFile, found: Found, name: str, section: Section) -> None:
        self.file = file
        self.found = found
        self.name = name
        self.section = section
        self.used = {"region"}

    def translate(self) -> None:
        """By the first kind of sign-in that it names."""
        given, has_keys = self.section, self.name in self.file.with_keys
        if has_keys and self.file.own_keys_first:
            self._with_own_keys()
        elif given.get("granted_sso_account_id") or given.get("granted_sso_role_name"):
            self._identity_center("granted_sso_")
        elif given.get("web_identity_token_file"):
            self._web_identity()
        elif given.get("role_arn") and not self._signs_in_before_its_role():
            self._role()
        elif given.get("sso_session") or given.get("sso_start_url"):
            self._identity_center("sso_")
        elif has_keys:
            self._with_own_keys()
        elif given.get("login_session"):
            self._console_sign_in()
        elif given.get("credential_process"):
            self._process()
        else:
            self._nothing()

    def _signs_in_before_its_role(self) -> bool:
        """aws-vault looks at Identity Center before it looks at a role."""
        given = self.section
        chained = given.get("source_profile") not in (None, "", self.name)
        has_sso = given.get("sso_session") or given.get("sso_start_url")
        return bool(self.file.own_keys_first and has_sso and not chained)

    def _take(self, key: str) -> str | None:
        self.used.add(key)
        return self.section.get(key) or None

    def _role_values(self) -> dict[str, object]:
        """What goes with AssumeRole."""
        taken = {key: self._take(key) for key in _TEXT_ROLE}
        return {
            "role_arn": self._take("role_arn"),
            **taken,
            "session_name": self._take("role_session_name"),
            "session_tags": values.pairs(self._take("session_tags")),
            "transitive_tags": values.words(self._take("transitive_session_tags")),
            **self._duration(),
            **self._mfa(),
        }

    def _duration(self) -> dict[str, object]:
        given = self._take("duration_seconds")
        found = values.duration(given)
        if given and not found:
            self._leave_out("duration_seconds", "not a number of seconds")
        return {"duration": found}

    def _mfa(self) -> dict[str, object]:
        return {"mfa_serial": self._take("mfa_serial"), "mfa_process": self._take("mfa_process")}

    def _with_own_keys(self) -> None:
        keys = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
        self.used |= keys | {"source_profile"}
        role = self._role_values() if self.section.get("role_arn") else self._mfa()
        self._add(role, provider=self.found.provider("keys", {"type": "static"}))

    def _role(self) -> None:
        source = self._take("source_profile")
        where = self._take("credential_source")
        if source == self.name or (not source and not where and self.file.own_keys_first):
            self._with_own_keys()
        elif source:
            self._add(self._role_values(), source=source)
        elif where:
            self._leave_all(
                "credential_source",
                f"{where[:40]!r} is the machine's own identity, which needs no sign-in:"
                " keep it in ~/.aws/config",
            )
        else:
            self._leave_all("role_arn", "a role without `source_profile`: no tool can take it")

    def _web_identity(self) -> None:
        place = self._take("web_identity_token_file")
        provider = self.found.provider(
            "web-identity", {"type": "web-identity", "token": {"file": place}}
        )
        self._take("source_profile")
        self._add(self._role_values(), provider=provider)

    def _identity_center(self, prefix: str) -> None:
        account, role = self._take(f"{prefix}account_id"), self._take(f"{prefix}role_name")
        provider = self._sign_in(prefix)
        if provider is None:
            self._leave_all("sso_session", "its sign-in did not come over")
        elif not (account and role):
            self.found.hints.append(f"awslogin discover {provider} --write")
            self._leave_all(
                f"{prefix}account_id",
                "names no account and role: `awslogin discover --write` adds those it reaches",
            )
        else:
            self.used |= {"duration_seconds", "mfa_serial", "role_session_name"}
            for key in ("duration_seconds", "mfa_serial", "role_session_name"):
                if key in self.section:
                    self._leave_out(key, "Identity Center decides it")
            if prefix == "granted_sso_":
                self.used |= {"credential_process", "granted_sso_registration_scopes"}
            self._add({"account": account, "role": role}, provider=provider)

    def _sign_in(self, prefix: str) -> str | None:
        """The provider: that of `[sso-session]`, else of the profile's own settings."""
        given = self.section
        session = self._take("sso_session")
        self.used |= {f"{prefix}start_url", f"{prefix}region"}
        inline = {
            "sso_start_url": (given.get(f"{prefix}start_url") or "").rstrip("/"),
            "sso_region": given.get(f"{prefix}region") or "",
            "sso_registration_scopes": given.get("granted_sso_registration_scopes") or "",
        }
        if session and session in self.file.sessions:
            merged = {**self.file.sessions[session]}
            if prefix != "sso_":
                merged |= {key: value for key, value in inline.items() if value}
            return _identity_center(self.found, session, merged, self.name, own=True)
        if session and not inline["sso_start_url"]:
            self._leave_out("sso_session", f"there is no [sso-session {session[:60]}]")
            return None
        name = values.site(inline["sso_start_url"], "sso")
        return _identity_center(self.found, name, inline, self.name)

    def _console_sign_in(self) -> None:
        arn = self._take("login_session") or ""
        parts = re.fullmatch(r"arn:([\w-]+):(?:sts|iam)::(\d{12}):(.+)", arn)
        pinned: dict[str, object] = {}
        if parts:
            pinned["account"] = parts.group(2)
            role = re.fullmatch(r"assumed-role/([^/]+)/.+", parts.group(3))
            if role:
                start = f"arn:{parts.group(1)}:iam::{parts.group(2)}"
                pinned = {"role_arn": f"{start}:role/{role.group(1)}"}
        provider = self.found.provider("console", {"type": "aws-login"})
        self._add(pinned, provider=provider)

    def _process(self) -> None:
        line = self._take("credential_process") or ""
        if _OURS.search(line):
            self._leave_all("credential_process", "it is awslogin's own profile already")
            return
        if _GRANTED.match(line):
            self._leave_all(
                "credential_process",
                "granted's own keychain signs it in: `granted credentials export-plaintext`"
                " shows the keys, `awslogin add` takes them",
            )
            return
        try:
            command = shlex.split(line)
        except ValueError:
            self._leave_all("credential_process", "its quotes do not close")
            return
        provider = self.found.provider(self.name, {"type": "process", "command": command})
        self._add({}, provider=provider)

    def _nothing(self) -> None:
        azure = any(key.startswith("azure_") for key in self.section)
        if azure and self.file.tool != "aws-azure-login":
            self._leave_all("azure_tenant_id", "`awslogin import aws-azure-login` takes it over")
        elif self.section.get("web_identity_token_process"):
            self._leave_all(
                "web_identity_token_process",
                "a command that makes a token: sign in with a provider of type `oidc`,"
                " or let it write a file for `web-identity`",
            )
        else:
            self._leave_all("", "it names no way to sign in: settings alone")

    def _add(self, given: Mapping[str, object], **origin: str) -> None:
        region = {"region": self.section.get("region")}
        self.found.add(self.name, {**given, **region}, **origin)
        for key in self.section:
            if key not in self.used:
                self._leave_out(key, self._reason(key))

    def _reason(self, key: str) -> str:
        if key in self.file.reasons:
            return self.file.reasons[key]
        if key in _NOT_HERE or key.startswith("cli_"):
            return _NOT_HERE.get(key, _SDK)
        other = self._other_kind(key)
        return other or f"a setting of {self.file.tool} that awslogin does not have"

    @staticmethod
    def _other_kind(key: str) -> str:
        """Settings of another kind of sign-in than the one that the SDKs take here."""
        kinds = ("sso_", "granted_", "role_", "mfa_", "web_identity_", "azure_")
        names = {"source_profile", "credential_source", "credential_process", "login_session"}
        names |= {"external_id", "duration_seconds", "source_identity"}
        if key.startswith(kinds) or key in names:
            return "another kind of sign-in of this profile is taken first"
        return ""

    def _leave_out(self, key: str, reason: str) -> None:
        self.found.leave_out(self.name, key, reason)

    def _leave_all(self, key: str, reason: str) -> None:
        """The whole profile stays behind: one line says so, not one a setting."""
        self._leave_out(key, reason)
