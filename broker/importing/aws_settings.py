"""The settings of one profile of the AWS CLI's: which are used, and why the others are not.

Owns our names for them and the reasons of what stays behind. Source: the AWS SDKs' settings
reference.
"""

from __future__ import annotations

from collections.abc import Mapping

from broker.importing import values
from broker.importing.found import Found
from broker.importing.ini import Section

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
KEYS = {
    "source": "source_profile",
    "account": "sso_account_id",
    "role": "sso_role_name",
    "duration": "duration_seconds",
    "session_name": "role_session_name",
    "transitive_tags": "transitive_session_tags",
    "provider:identity-center": "sso_start_url",
    "provider:process": "credential_process",
    "provider:aws-login": "login_session",
    "provider:web-identity": "web_identity_token_file",
}
"""What these files call a key of our YAML."""


_OTHER_KINDS = ("sso_", "granted_", "role_", "mfa_", "web_identity_", "azure_")
_OF_ROLES = {"session_tags", "transitive_session_tags", "source_identity", "external_id"}
_OF_ROLES |= {"role_session_name", "duration_seconds"}
_OF_SIGN_INS = {"source_profile", "credential_source", "credential_process", "login_session"}
_OF_SIGN_INS |= {"external_id", "duration_seconds", "source_identity"}


class Settings:
    """One profile on its way over: what is taken of it is noted, the rest is told.

    Attributes:
        name: What the tool calls the profile.
        found: Where it goes.
        reasons: The tool's own settings, and why they stay behind.
    """

    def __init__(
        self, name: str, section: Section, found: Found, tool: str, reasons: Mapping[str, str]
    ) -> None:
        self.name = name
        self.found = found
        self._section = section
        self._tool = tool
        self._reasons = reasons
        self._used = {"region"}

    def get(self, *keys: str) -> str | None:
        """The first of the settings that has a value."""
        return next((self._section[key] for key in keys if self._section.get(key)), None)

    def has(self, prefix: str) -> bool:
        """Whether a setting begins so."""
        return any(key.startswith(prefix) for key in self._section)

    def take(self, key: str) -> str | None:
        """A setting that comes over."""
        self.use(key)
        return self._section.get(key) or None

    def use(self, *keys: str) -> None:
        """These have come over, or are told in another way."""
        self._used |= {*keys}

    def mfa(self) -> dict[str, object]:
        """Whose code is asked for, and what makes it."""
        return {"mfa_serial": self.take("mfa_serial"), "mfa_process": self.take("mfa_process")}

    def role(self) -> dict[str, object]:
        """What goes with AssumeRole."""
        seconds = self.take("duration_seconds")
        duration = values.duration(seconds)
        if seconds and not duration:
            self.leave_out("duration_seconds", "not a number of seconds")
        return {
            "role_arn": self.take("role_arn"),
            "external_id": self.take("external_id"),
            "source_identity": self.take("source_identity"),
            "session_name": self.take("role_session_name"),
            "session_tags": values.pairs(self.take("session_tags")),
            "transitive_tags": values.comma_separated(self.take("transitive_session_tags")),
            "duration": duration,
            **self.mfa(),
        }

    def add(self, given: Mapping[str, object], **origin: str) -> None:
        """The profile comes over; what was not taken is told."""
        self.found.add(self.name, {**given, "region": self.get("region")}, **origin)
        for key in self._section:
            if key not in self._used:
                self.leave_out(key, self._reason(key))

    def leave_out(self, key: str, reason: str) -> None:
        """A setting stays behind, or by it the whole profile."""
        self.found.leave_out(self.name, key, reason)

    def _reason(self, key: str) -> str:
        if key in self._reasons:
            return self._reasons[key]
        if key in _NOT_HERE or key.startswith("cli_"):
            return _NOT_HERE.get(key, _SDK)
        if key in _OF_ROLES and not self.get("role_arn"):
            return "it goes with a role alone"
        if key.startswith(_OTHER_KINDS) or key in _OF_SIGN_INS:
            return "another kind of sign-in of this profile is taken first"
        return f"a setting of {self._tool} that awslogin does not have"
