"""`granted`: profiles of `~/.aws/config` as it signs them in, its own config, pulled registries.

Source: granted's `pkg/config/config.go`, `pkg/cfaws/granted_config.go`, `pkg/granted/registry` and
`awsmerge` (0.38). A registry that was pulled is read where it lies; nothing is fetched.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broker import aws_files
from broker.importing import go_template, ini, values, yaml_text
from broker.importing.aws_config import by_kind, name_unread
from broker.importing.aws_profiles import AwsFile, translate
from broker.importing.found import Found
from broker.importing.ini import Section
from broker.importing.reading import Here, wrong
from broker.importing.yaml_text import mapping
from broker.paths import expanded

_REASONS = {
    "granted_color": "a browser's container of its own is granted's",
    "granted_icon": "a browser's container of its own is granted's",
    "common_fate_generated_from": "`awslogin discover --write` keeps a block of its own",
}


def look(here: Here) -> Found:
    """Every profile, those of registries that are not merged yet too, and sign-ins of `[SSO.x]`."""
    found = Found()
    folder = _folder(here)
    settings = _settings(folder / "config", found)
    path = aws_files.config_path(here.environ)
    text = found.text_of(path)
    sections = {} if text is None else ini.as_go_reads(text, path)
    name_unread(sections, found)
    profiles, sessions = by_kind(sections, "profile"), by_kind(sections, "sso-session")
    found.is_in_use = bool(settings) or any(
        key.startswith("granted_") for section in profiles.values() for key in section
    )
    for registry in _registries(settings):
        more = _pulled(folder / "registries", registry, settings, found)
        for name, section in by_kind(more, "profile").items():
            profiles.setdefault(_prefixed(name, registry, settings, profiles), section)
        for name, section in by_kind(more, "sso-session").items():
            sessions.setdefault(name, section)
    keys = {n for n, s in profiles.items() if s.get("aws_access_key_id")}
    translate(AwsFile(profiles, sessions, keys, tool="granted", reasons=_REASONS), found)
    for name, given in mapping(_of(settings, "SSO")).items():
        _sign_in(name, given, found)
    return found


def _folder(here: Here) -> Path:
    usual = expanded("~/.granted")
    other = here.environ.get("XDG_CONFIG_HOME")
    return expanded(other) / "granted" if other and not usual.exists() else usual


def _settings(path: Path, found: Found) -> dict[str, Any]:
    text = found.text_of(path)
    if text is None:
        return {}
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = str(error).partition("(at line ")[2].partition(",")[0]
        raise wrong(path, int(line) if line.isdigit() else None, "is broken TOML") from None


def _of(table: Mapping[str, Any], key: str) -> Any:
    """A value whatever the case of its key, as granted's reader has it."""
    return next((value for name, value in table.items() if name.lower() == key.lower()), None)


def _sign_in(name: str, given: Any, found: Found) -> None:
    url, region = _of(mapping(given), "StartURL"), _of(mapping(given), "SSORegion")
    if not (url and region):
        found.leave_out(f"SSO.{name}", "StartURL", "without `StartURL` and `SSORegion`")
        return
    provider = found.provider(
        name,
        {"type": "identity-center", "start_url": values.start_url(str(url)), "region": region},
    )
    if not any(profile.provider == provider for profile in found.profiles):
        found.hints.append(f"awslogin discover {provider} --write")


def _registries(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The registries, the one that counts most first."""
    given = _of(mapping(_of(settings, "ProfileRegistry")), "Registries")
    tables = [mapping(registry) for registry in given] if isinstance(given, list) else []
    return sorted(tables, key=lambda registry: -int(registry.get("priority") or 0))


def _prefixed(
    name: str, registry: Mapping[str, Any], settings: Mapping[str, Any], there: Mapping[str, Any]
) -> str:
    """The name under which granted merges a profile of a registry."""
    shared = mapping(_of(settings, "ProfileRegistry"))
    every = registry.get("prefixAllProfiles") or _of(shared, "PrefixAllProfiles")
    twice = registry.get("prefixDuplicateProfiles") or _of(shared, "PrefixDuplicateProfiles")
    prefixed = f"{registry.get('name')}.{name}"
    if prefixed in there:
        return prefixed
    return prefixed if every or (twice and name in there) else name


def _pulled(
    folder: Path, registry: Mapping[str, Any], settings: Mapping[str, Any], found: Found
) -> dict[str, Section]:
    """The sections of a registry's files, its variables filled in."""
    name, label = str(registry.get("name") or ""), f"registry {registry.get('name')}"
    base = (folder / name / str(registry.get("path") or "")).resolve()
    if registry.get("type") not in (None, "", "git") or not base.is_relative_to(folder.resolve()):
        found.leave_out(label, "type", "only registries in git are files that can be read here")
        return {}
    path = base / str(registry.get("filename") or "granted.yml")
    text = found.text_of(path)
    if text is None:
        found.leave_out(label, "url", "it was not pulled yet: `granted registry sync`, then again")
        return {}
    files = mapping(yaml_text.parse(text, path)).get("awsConfig")
    sections: dict[str, Section] = {}
    for file in files if isinstance(files, list) else []:
        inner = (base / str(file)).resolve()
        content = found.text_of(inner) if inner.is_relative_to(folder.resolve()) else None
        if content is None:
            found.leave_out(label, "awsConfig", f"there is no {str(file)[:60]!r} in it")
            continue
        for section, given in ini.as_go_reads(content, inner).items():
            sections[section] = _with_variables(section, given, settings, found)
    found.leave_out(
        label, "url", "it came over as it is now: `extends` of our YAML follows a repository"
    )
    return sections


def _with_variables(
    section: str, given: Section, settings: Mapping[str, Any], found: Found
) -> Section:
    shared = mapping(_of(settings, "ProfileRegistry"))
    fields = {".Profile": section.removeprefix("profile ")}
    for group, key in (("Required", "RequiredKeys"), ("Variables", "Variables")):
        fields |= {f".{group}.{n}": str(v) for n, v in mapping(_of(shared, key)).items()}
    whole: Section = {}
    for key, value in given.items():
        filled = go_template.filled(value, fields) if "{{" in value else value
        if filled is None:
            found.leave_out(section, key, "a variable of the registry without a value")
        else:
            whole[key] = filled
    return whole
