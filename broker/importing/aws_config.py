"""`aws-config`: the AWS CLI's own profiles, of `~/.aws/config` and `~/.aws/credentials`.

Owns reading both as botocore does. Source: the AWS SDKs' "Shared config and credentials files".
"""

from __future__ import annotations

from pathlib import Path

from broker import aws_files
from broker.importing import ini
from broker.importing.aws_profiles import OWN, AwsFile, translate
from broker.importing.found import Found
from broker.importing.ini import Section
from broker.importing.reading import Here

_KEYS = ("aws_access_key_id", "aws_secret_access_key")
_KINDS = (["profile"], ["sso-session"], ["services"], ["plugins"], ["preview"])
_SIGN_IN = frozenset(
    {*_KEYS, "role_arn", "source_profile", "credential_process", "web_identity_token_file"}
    | {"sso_session", "sso_start_url", "sso_account_id", "login_session"}
)


def look(here: Here) -> Found:
    """Every profile of both files; keys stay where they are."""
    found = Found()
    profiles, sessions = _config(aws_files.config_path(here.environ), found)
    credentials = _credentials(aws_files.credentials_path(here.environ), found)
    for name, section in credentials.items():
        profiles[name] = {**profiles.get(name, {}), **section}
    with_keys = {
        name for name, section in profiles.items() if all(section.get(key) for key in _KEYS)
    } - {name for name, section in profiles.items() if section.get("aws_session_token")}
    translate(AwsFile(profiles, sessions, with_keys), found)
    others = [entry for entry in found.left_out if entry.reason != OWN]
    found.is_in_use = bool(found.profiles or others)
    if with_keys:
        found.hints.append("awslogin import aws-credentials")
    return found


def _config(path: Path, found: Found) -> tuple[dict[str, Section], dict[str, Section]]:
    text = found.text_of(path)
    if text is None:
        return {}, {}
    sections = ini.as_botocore_reads(text, path)
    name_unread(sections, found)
    return by_kind(sections, "profile"), by_kind(sections, "sso-session")


def _credentials(path: Path, found: Found) -> dict[str, Section]:
    text = found.text_of(path)
    if text is None:
        return {}
    sections = ini.as_botocore_reads(text, path)
    return {name: dict(section) for name, section in sections.items()}


def by_kind(sections: dict[str, Section], kind: str) -> dict[str, Section]:
    """The profiles, or the sessions, of a file's sections."""
    named = ((ini.aws_name(section, kind), given) for section, given in sections.items())
    return {name: given for name, given in named if name}


def name_unread(sections: dict[str, Section], found: Found) -> None:
    """List as left out the sections that look like profiles but whose head no SDK reads so."""
    for section, given in sections.items():
        tokens = section.split()
        if tokens[:1] == ["profile"] and ini.aws_name(section, "profile") is None:
            reason = 'a name with a space stands in quotes: `[profile "a b"]`'
            found.leave_out(section, "", f"the AWS SDKs read no profile there: {reason}")
        elif tokens[:1] not in _KINDS and section != "default" and _SIGN_IN & given.keys():
            reason = f"in this file a profile is `[profile {section}]`"
            found.leave_out(section, "", f"the AWS SDKs read no profile there: {reason}")
