"""`aws-vault`: `~/.aws/config` with its own settings, and the names of the keys in its keychain.

Owns what it inherits: `include_profile` (`parent_profile` in its version 5), else `[default]`.
Source: aws-vault's documentation "Config" and its `vault/config.go` (ByteNess fork, 7.13).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from broker import aws_files
from broker.importing import ini
from broker.importing.aws_config import by_kind
from broker.importing.aws_profiles import AwsFile, translate
from broker.importing.found import Found
from broker.importing.ini import Section, aws_name
from broker.importing.reading import Here
from broker.ports import go_keyring

_SETTINGS = """
mfa_serial role_arn external_id region role_session_name duration_seconds source_profile
sso_session sso_start_url sso_region sso_account_id sso_role_name web_identity_token_file
web_identity_token_process session_tags transitive_session_tags source_identity
credential_process mfa_process
"""
INHERITED = frozenset(_SETTINGS.split())
_INCLUDES = ("include_profile", "parent_profile")
_OTHER_SIGN_INS = {"sso_session", "sso_start_url", "web_identity_token_file", "credential_process"}
_REASONS = {
    **dict.fromkeys(_INCLUDES, "what it brings in is written out"),
    "web_identity_token_process": "a command that makes a token: a provider of type `oidc`"
    " signs in by itself",
}


def look(here: Here) -> Found:
    """Every profile, with what it inherits written out, and the users whose keys it keeps."""
    path = aws_files.config_path(here.environ)
    found = Found()
    text = found.text_of(path)
    sections = {} if text is None else ini.as_go_reads(text, path)
    profiles, sessions = by_kind(sections, "profile"), by_kind(sections, "sso-session")
    for section, given in sections.items():  # aws-vault takes names with spaces without quotes
        if section.startswith("profile ") and aws_name(section, "profile") is None:
            profiles.setdefault(section.removeprefix("profile ").strip(), given)
    keychain = go_keyring.names(here.environ)
    own = {*_INCLUDES, "mfa_process", "session_tags", "web_identity_token_process"}
    found.is_in_use = bool(
        keychain.names
        or any(name.startswith("AWS_VAULT_") for name in here.environ)
        or any(own & section.keys() for section in profiles.values())
    )
    if not keychain.problem:
        found.key_names = keychain.names
    else:
        found.leave_out("aws-vault's keychain", "", keychain.problem)
    inheritance = _Inheritance(profiles, found)
    whole = {name: inheritance.of(name) for name in dict.fromkeys([*profiles, *keychain.names])}
    asked = _asks_itself(whole)
    with_keys = {*keychain.names} | asked | _likely_users(profiles, whole)
    fragments = _fragments(profiles, whole, with_keys)
    if not keychain.is_whole:
        with_keys |= {
            name
            for name in profiles.keys() - fragments - {"default"}
            if not whole[name].get("role_arn") and _has_no_other_way(whole, name)
        }
    translate(
        AwsFile(
            {name: section for name, section in whole.items() if name not in fragments},
            sessions,
            with_keys,
            own_keys_first=True,
            tool="aws-vault",
            reasons=_REASONS,
        ),
        found,
    )
    for name in sorted(fragments):
        found.leave_out(name, "", "settings that other profiles bring in: written out in those")
    return found


class _Inheritance:
    """Profiles with what they inherit; the nearest wins. Each is written out once."""

    def __init__(self, profiles: Mapping[str, Section], found: Found) -> None:
        self._profiles = profiles
        self._found = found
        self._whole: dict[str, Section] = {}

    def of(self, name: str) -> Section:
        """A profile's settings, without the words that bring others in."""
        line, circle = self._line(name)
        if circle:
            self._found.leave_out(name, "include_profile", "the profiles bring each other in")
        whole = dict(self._whole.get(line[-1], {}))
        for at in reversed(line):
            if at not in self._whole:
                own = self._profiles.get(at, {})
                over = {key: value for key, value in own.items() if value or key not in whole}
                whole = {key: value for key, value in whole.items() if key in INHERITED} | over
                if not circle:
                    self._whole[at] = whole
            else:
                whole = self._whole[at]
        given = {key: value for key, value in whole.items() if key not in _INCLUDES}
        if given.get("source_profile") == name:
            del given["source_profile"]
        return given

    def _line(self, name: str) -> tuple[list[str], bool]:
        """The profile and those that it inherits from, up to one that is written out already.

        The second value tells whether they bring each other in.
        """
        line, seen = [name], {name}
        while line[-1] not in self._whole:
            here = self._profiles.get(line[-1], {})
            include = next((here[key] for key in _INCLUDES if here.get(key)), None)
            following = include or "default"
            if following in seen:
                return line, include is not None
            line.append(following)
            seen.add(following)
        return line, False


def _asks_itself(whole: dict[str, Section]) -> set[str]:
    """Whose `credential_process` is aws-vault for the same profile: a user with keys in it.

    One that is aws-vault for another profile is that profile, by another name.
    """
    users: set[str] = set()
    for name, section in whole.items():
        asked = _asked_of_aws_vault(section.get("credential_process", ""), whole)
        if asked is None or section.get("role_arn"):
            continue
        del section["credential_process"]
        if asked == name:
            users.add(name)
        else:
            section["source_profile"] = asked
    return users


def _asked_of_aws_vault(line: str, whole: Mapping[str, Section]) -> str | None:
    """The profile that a command line asks aws-vault for, or None where it is another's."""
    try:
        program, *arguments = shlex.split(line)
    except ValueError:
        return None
    if not re.fullmatch(r"(?:.*[/\\])?aws-vault(?:\.exe)?", program):
        return None
    if not {"export", "exec"} & {*arguments}:
        return None
    return next((argument for argument in arguments if argument in whole), None)


def _likely_users(profiles: Mapping[str, Section], whole: Mapping[str, Section]) -> set[str]:
    """Who is a source, or has an MFA device, and signs in in no other way."""
    sources = {section.get("source_profile") for section in whole.values()}
    own = {name for name, section in profiles.items() if section.get("source_profile") == name}
    alone = {
        name
        for name, section in profiles.items()
        if section.get("mfa_serial") and not section.get("role_arn")
    }
    return {name for name in {*sources, *own, *alone} if name and _has_no_other_way(whole, name)}


def _has_no_other_way(whole: Mapping[str, Section], name: str) -> bool:
    section = whole.get(name, {})
    return not any(section.get(key) for key in {*_OTHER_SIGN_INS, "source_profile"})


def _fragments(
    profiles: Mapping[str, Section], whole: Mapping[str, Section], with_keys: set[str]
) -> set[str]:
    """Profiles that sign nobody in and are only there to be brought in."""
    included = {
        section[key] for section in profiles.values() for key in {*_INCLUDES} & section.keys()
    }
    sources = {section.get("source_profile") for section in whole.values()}
    return {
        name
        for name in ({*included, "default"} & profiles.keys()) - {*sources} - with_keys
        if not profiles[name].get("role_arn")
        and not profiles[name].keys() & _OTHER_SIGN_INS
        and (name in included or "source_profile" not in profiles[name])
    }
