"""What a source found, put into our YAML: what is there stays, what is new goes to the end.

Owns that nothing is written that would spoil the config, and that what stays behind is listed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from broker.config import Config
from broker.config.document import parse
from broker.config.editing import Page, as_lines, check_unchanged
from broker.config.loading import of_document
from broker.config.models import ProfileModel
from broker.errors import ConfigError
from broker.importing import names, secret_words
from broker.importing.found import Found, FoundProfile, LeftOut
from broker.importing.sign_ins import FOR_PROFILES, SignIns
from broker.importing.spoiled import ESSENTIAL, drop_long_durations, take_away

EMPTY = b"version: 1\n"


@dataclass
class Merged:
    """The change to the YAML.

    Attributes:
        content: The file after it; as it was where nothing is new.
        providers: New ones, name → options.
        profiles: New ones, name → values.
        already_there: Names of profiles that were there already.
        left_out: What does not come over.
        renamed: What the tool calls a new profile → its name with us, where they differ.
        names: What the tool calls a profile → our name.
    """

    content: bytes
    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    already_there: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def yaml(self) -> str:
        """What is added, as YAML of its own."""
        parts = []
        for section, entries in (("providers", self.providers), ("profiles", self.profiles)):
            if entries:
                lines = [line for entry in entries.items() for line in as_lines(*entry, "  ")]
                parts.append("\n".join([f"{section}:", *lines, ""]))
        return "".join(parts)


def merge(
    content: bytes,
    path: Path,
    found: Found,
    environ: Mapping[str, str],
    only: Collection[str] = (),
) -> Merged:
    """The file with what was found.

    Args:
        content: The file as it is; `EMPTY` where there is none.
        path: Where it is, for messages.
        found: What a source found.
        environ: Fills in the variables of the file.
        only: The tool's names of the profiles that are wanted; all where it is empty.

    Raises:
        ConfigError: The file is spoiled, or written so that there is no place for an entry.
    """
    page = Page(content, str(path))
    before = of_document(page.document, path, environ, content)
    wanted = _with_sources(found, {*only}) if only else found
    sign_ins = SignIns(before, wanted.providers)
    merged = Merged(content, providers=sign_ins.new, left_out=list(wanted.left_out))
    merged.names = names.of_profiles(profile.name for profile in wanted.profiles)
    there = {*merged.names.values(), *before.names}
    for profile in wanted.profiles:
        _take(profile, before, merged, sign_ins, there)
    theirs = {ours: name for name, ours in merged.names.items()}
    too_long = drop_long_durations(merged.profiles, lambda name: _is_user(name, before, merged))
    merged.left_out += [LeftOut(theirs[name], key, reason) for name, key, reason in too_long]
    _write(page, path, environ, merged, keep_unused=not only)
    merged.left_out[len(wanted.left_out) :] = [
        replace(entry, key=wanted.keys.get(entry.key, entry.key))
        for entry in merged.left_out[len(wanted.left_out) :]
    ]
    merged.renamed = {theirs[n]: n for n in merged.profiles if theirs[n] != n}
    already_there = {*merged.already_there}
    merged.left_out = [
        entry
        for entry in merged.left_out
        if not entry.key or merged.names.get(entry.source) not in already_there
    ]
    used = {profile.provider for profile in wanted.profiles}
    unused = [(name, why) for name, (_, why) in sign_ins.problems.items() if name not in used]
    merged.left_out += [LeftOut(name, "", reason) for name, reason in unused]
    return merged


def _is_user(name: str, before: Config, merged: Merged) -> bool:
    """Whether a profile is a user with keys and no role: a role of theirs may last 12 hours."""
    values = merged.profiles.get(name)
    if values is None:
        return name in before and _resolved_as_user(name, before)
    provider = str(values.get("provider"))
    new = merged.providers.get(provider)
    kind = new["type"] if new else before.provider(provider).type if "provider" in values else ""
    return kind == "static" and "role_arn" not in values


def _resolved_as_user(name: str, before: Config) -> bool:
    try:
        return before.profile(name).is_bare_keys
    except ConfigError:
        return False


def _with_sources(found: Found, only: set[str]) -> Found:
    """The profiles that are wanted, and those that they stand on."""
    by_name = {profile.name: profile for profile in found.profiles}
    todo, chosen = [*only], set[str]()
    while todo:
        name = todo.pop()
        if name not in chosen:
            chosen.add(name)
            source = by_name[name].source if name in by_name else None
            todo += [source] if source else []
    chosen_profiles = [profile for profile in found.profiles if profile.name in chosen]
    used = {profile.provider for profile in chosen_profiles}
    return replace(
        found,
        profiles=chosen_profiles,
        providers={name: o for name, o in found.providers.items() if name in used},
        left_out=[entry for entry in found.left_out if entry.source in chosen],
    )


def _take(
    profile: FoundProfile, before: Config, merged: Merged, sign_ins: SignIns, there: Collection[str]
) -> None:
    """Put one profile among the new ones, the kept ones, or what is left out."""

    def leave_out(key: str, reason: str) -> None:
        merged.left_out.append(LeftOut(profile.name, key, reason))

    name = merged.names[profile.name]
    if name in before:
        merged.already_there.append(name)
        return
    if name in merged.profiles:
        leave_out("", "another profile of this name comes first")
        return
    values: dict[str, Any] = {}
    if profile.provider is not None:
        ours = sign_ins.ours(profile.provider)
        if ours is None:
            leave_out(*sign_ins.problems.get(profile.provider, ("provider", "it has no sign-in")))
            return
        values["provider"] = ours
    if profile.source is not None:
        values["source"] = merged.names.get(profile.source, profile.source)
        if values["source"] not in there:
            leave_out("source", f"its source {profile.source!r} did not come over")
            return
    values |= profile.values
    for key, reason in _problems(values):
        leave_out(key, reason)
        if key in ESSENTIAL:
            return
        values.pop(key, None)
    merged.profiles[name] = values


def _problems(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys whose value our YAML cannot hold, and why."""
    found = [
        problem
        for key, value in values.items()
        if (problem := secret_words.problem({key: value})) is not None
    ]
    try:
        ProfileModel.model_validate(dict(values))
    except ValidationError as error:
        reason = "its form is not one that AWS takes"
        found += [(str(detail["loc"][0]), reason) for detail in error.errors()]
    return [*dict(reversed(found)).items()]


def _write(
    page: Page, path: Path, environ: Mapping[str, str], merged: Merged, *, keep_unused: bool
) -> None:
    """Write the file anew until no new profile in it is spoiled; what spoils one is left out."""
    theirs = {ours: name for name, ours in merged.names.items()}
    while True:
        used = {values.get("provider") for values in merged.profiles.values()}
        for name, options in [*merged.providers.items()]:
            if name not in used and not (keep_unused and options["type"] not in FOR_PROFILES):
                del merged.providers[name]
        new = {"providers": merged.providers, "profiles": merged.profiles}
        if not any(new.values()):
            return
        page.forget_changes()
        for section, entries in new.items():
            page.add(section, entries.items())
        content = page.content()
        document = parse(content, page.file)
        check_unchanged(page, document, {section: e for section, e in new.items() if e})
        config = of_document(document, path, environ, content)
        spoiled = take_away(config, document, merged.profiles)
        if not spoiled:
            merged.content = content
            return
        merged.left_out += [LeftOut(theirs[name], key, reason) for name, key, reason in spoiled]
