"""What is wrong in a config, all of it at once. Owns what hides what, not the single rules."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from broker.config.document import Document
from broker.config.document import Path as Keys
from broker.config.models import FileModel, ProfileModel
from broker.config.problems import (
    Finding,
    SpoiledFile,
    found,
    names_of,
    spoiled,
    unknown_key,
    validated,
)
from broker.config.resolve import Resolver
from broker.config.secrets import secrets_in
from broker.config.unloaded import AnyOptions, plugin_of
from broker.errors import ConfigError
from broker.regions import flaw_in_region

_STRUCTURE = {"provider", "source", "account", "role", "role_arn"}
"""Keys of a profile without which others of its problems mean nothing."""


def checked(
    document: Document, environ: Mapping[str, str], folder: Path, *, trusted: bool
) -> FileModel:
    """The structure of a document that is sound as a whole.

    Args:
        document: The YAML, with what it extends.
        environ: The environment.
        folder: Where the YAML stands.
        trusted: Whether it may be acted on.

    Raises:
        SpoiledFile: With everything that is wrong, single profiles included.
    """
    if not isinstance(document.data, dict):
        raise SpoiledFile([document.error((), "a config is a mapping that begins `version: 1`")])
    model: FileModel | None
    findings, model = validated(FileModel, document.data, document, ())
    sound = model
    if sound is None:
        _, sound = validated(FileModel, _without(document, findings), document, ())
    findings += [found(error) for error in (*document.problems, *secrets_in(document))]
    if sound is not None:
        findings += _option_findings(sound, document, trusted=trusted)
    if sound is not None and sound is model and not findings:
        return sound
    also: list[ConfigError] = []
    if sound is not None:
        resolver = Resolver(sound, document, environ, folder, trusted=trusted)
        problems = problems_of(sound, resolver, document, trusted=trusted)
        also = list(_of_their_own(problems, findings, sound, document))
    raise spoiled(findings, also)


def problems_of(
    model: FileModel, resolver: Resolver, document: Document, *, trusted: bool
) -> list[ConfigError]:
    """What is wrong with single profiles, with providers that none uses, and with the default."""
    problems: list[ConfigError] = []
    for name in model.profiles:
        try:
            profile = resolver.profile(name)
        except ConfigError as error:
            problems.append(error)
            continue
        if model.report.require_source_identity and not profile.carries_source_identity:
            problems.append(
                document.error(
                    ("profiles", name),
                    f"profile `{name}` cannot carry the SourceIdentity that"
                    " `report.require_source_identity` asks for",
                    hint="set `source_identity`, and take its role by a `source`: AssumeRole alone"
                    " takes one",
                    profile=name,
                )
            )
    used = {name for profile in model.profiles.values() for name in profile.provider or ()}
    for name, provider in model.providers.items():
        if name not in used:
            try:
                plugin_of(provider.type, trusted=trusted)
            except ConfigError as error:
                keys = ("providers", name, "type")
                problems.append(document.error(keys, error.reason, hint=error.hint))
        named = (provider.model_extra or {}).get("region")
        flaw = flaw_in_region(named) if isinstance(named, str) and "${" not in named else None
        if flaw:
            message = f"provider `{name}`: {flaw}"
            problems.append(document.error(("providers", name, "region"), message))
    if model.default_profile and model.default_profile not in model.profiles:
        problems.append(resolver.unknown_profile(model.default_profile, ("default_profile",)))
    return problems


def _of_their_own(
    problems: Iterable[ConfigError], findings: list[Finding], sound: FileModel, document: Document
) -> Iterator[ConfigError]:
    """The problems that are no mere consequence of what was found."""
    incomplete = {
        finding.path[1]
        for finding in findings
        if finding.path[:1] == ("profiles",)
        and len(finding.path) > 2
        and finding.path[2] not in ProfileModel.model_fields.keys() - _STRUCTURE
    }
    lost = {
        f"there is no {kind} `{name}`"
        for kind, there in (("profile", sound.profiles), ("provider", sound.providers))
        for name in _entries(document, f"{kind}s").keys() - there.keys()
    }
    for error in problems:
        consequence = "is spoiled" in error.reason or any(
            error.reason.endswith(text) for text in lost
        )
        if not (consequence or isinstance(error, SpoiledFile) or error.profile in incomplete):
            yield error


def _without(document: Document, findings: list[Finding]) -> Any:
    """The data without what is wrong: the keys, else the entries that have it."""
    data = copy.deepcopy(document.data)
    for finding in findings:
        _remove(data, finding.path[:3] if finding.missing is False else finding.path[:2])
    return data


def _remove(data: Any, path: Keys) -> None:
    for part in path[:-1]:
        if not isinstance(data, dict) or part not in data:
            return
        data = data[part]
    if isinstance(data, dict):
        data.pop(path[-1], None)


def _entries(document: Document, section: str) -> dict[str, Any]:
    entries = document.data.get(section)
    return entries if isinstance(entries, dict) else {}


def _option_findings(model: FileModel, document: Document, *, trusted: bool) -> Iterable[Finding]:
    """Unknown or misformed options of the providers whose plugin is there."""
    for name, provider in model.providers.items():
        try:
            options = plugin_of(provider.type, trusted=trusted).Options
        except ConfigError:
            continue
        extra = provider.model_extra or {}
        if "${" not in str(extra):
            yield from validated(options, extra, document, ("providers", name))[0]
        else:
            known = extra if options is AnyOptions else names_of(options)
            for key in sorted(extra.keys() - known):
                yield found(unknown_key(document, ("providers", name, key), options))
