"""A config as an earlier command has checked it: the next one needs neither YAML nor models.

One file for each place of a config, in our state folder, written whole. It says what the profiles
and providers of a trusted config come to. It counts as long as every file that was read is as it
was (the list of trust, the settings and awslogin itself too), every variable that was looked at has
its value, and nobody else could have written it: it decides whom credentials are sent to.

What it does not hold (a spoiled profile, another wheel's provider, what few commands ask of a
config) is asked of the whole config, which is loaded then. A config that names commands is not
kept: which files those are is looked up each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import broker
from broker import registry, settings
from broker.config.origin import Origin
from broker.config.profile import Profile, ProviderSpec
from broker.errors import AwsLoginError
from broker.file_fingerprint import file_fingerprint, is_trustworthy
from broker.paths import (
    read_own_or_none,
    require_own,
    require_own_folders,
    state_dir,
)
from broker.ports.steps import step
from broker.provider import NoOptions, takes_options
from broker.record_files import MAX_PROFILES, digest_of, write_record
from broker.recording_environ import RecordingEnviron
from broker.warm import place_of

if TYPE_CHECKING:
    from broker.config.loaded import Config

UNSEEN = (
    *("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "AWSLOGIN_HOME"),
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"),
)
"""Variables that others look at for us: who the person is, and where their files lie."""
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What a record of another shape comes to."""


def config_of(
    option: str | None, found_option: str | None, environ: RecordingEnviron, folder: Path
) -> Config:
    """The config that counts here: as it was kept, else loaded, and then kept.

    Args:
        option: The path behind `--config`.
        found_option: The path behind `--found`.
        environ: The environment; what the config looks at is looked at in it, kept or not.
        folder: The working directory.

    Raises:
        NoConfig, UsageError, SpoiledFile, ConfigError: As `broker.config.load` has it.
    """

    def load(looked_at: Mapping[str, str] = environ) -> Config:
        from broker.config.loading import load

        return load(option, looked_at, folder, found_option)

    if (option and found_option) or environ.get("CI", "").lower() == "true":
        return load()
    how, path = place_of(option or "", found_option or "", environ, str(folder))
    file = _file(how, path, environ)
    record = _read(file, how, environ)
    with contextlib.suppress(*_DAMAGED):
        if record is not None:
            return cast("Config", KeptConfig(record, environ, load))
    also = str(settings.path(environ)), str(broker.__file__)
    before = {path: file_fingerprint(path) for path in also}
    looked_at = RecordingEnviron(environ)
    config = load(looked_at)
    with contextlib.suppress(AwsLoginError, OSError, ValueError, TypeError):
        _keep(file, config, before, looked_at)
    return config


class KeptConfig:
    """What was kept of a config, in its place; all else that it is asked, it asks the whole config.

    Args:
        record: The file's content; it holds.
        environ: Is asked for every variable that shapes what is given.
        load: Gives the whole config.
    """

    trusted = True

    def __init__(
        self, record: Mapping[str, Any], environ: Mapping[str, str], load: Callable[[], Config]
    ) -> None:
        self._record = record
        self._environ = environ
        self._load = load
        self._profiles: dict[str, Profile] = {}
        self._providers: dict[str, ProviderSpec] = {}
        self.path = Path(record["path"])
        self.folder = Path(record["folder"])
        self.names: list[str] = record["names"]
        self.team: str = record["team"]
        self.default_profile: str | None = record["default_profile"]
        self.key_scope: str = record["key_scope"]
        self.place: str = record["place"]
        self.fingerprints = {file: was.encode() for file, was in record["files"].items()}
        _look_at(environ, record["variables"])
        step(f"config {self.path}")

    @cached_property
    def _whole(self) -> Config:
        return self._load()

    def __getattr__(self, name: str) -> Any:
        """Whatever else a config is asked for."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._whole, name)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def require_trust(self) -> None:
        """It is trusted: no other is kept."""

    def profile(self, name: str) -> Profile:
        """A profile, resolved.

        Raises:
            ConfigError: There is no such profile, or it is spoiled.
        """
        with contextlib.suppress(*_DAMAGED):
            if name not in self._profiles:
                found = self._record["profiles"][name]
                self._profiles[name] = _profile_from(found["values"])
                _look_at(self._environ, found["variables"])
            return self._profiles[name]
        return self._whole.profile(name)

    def provider(self, name: str) -> ProviderSpec:
        """A provider with checked options.

        Raises:
            ConfigError: There is no such provider, or its plugin is missing.
        """
        with contextlib.suppress(*_DAMAGED):
            if name not in self._providers:
                self._providers[name] = _provider_from(name, self._record["providers"][name])
            return self._providers[name]
        return self._whole.provider(name)


def _look_at(environ: Mapping[str, str], names: Iterable[str]) -> None:
    """Ask for variables, for whoever records which ones were asked for."""
    for name in names:
        environ.get(name)


def _file(how: str, path: str, environ: Mapping[str, str]) -> Path:
    """Where a config's record lies: by its place, and by who reads and runs it."""
    key = json.dumps([broker.__version__, how, path, *map(environ.get, UNSEEN)])
    name = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:40]
    return state_dir(environ) / "configs" / f"{name}.json"


def _read(file: Path, how: str, environ: RecordingEnviron) -> dict[str, Any] | None:
    """The record, if it holds; None where there is none, or not all is as it was."""
    try:
        require_own_folders(environ)
        record: dict[str, Any] = json.loads(read_own_or_none(file) or b"{}")
        if any(file_fingerprint(read).decode() != was for read, was in record["files"].items()):
            return None
        if os.path.realpath(record["path"]) != record["place"]:
            return None
        if digest_of(environ.apart().seen(record["deciding"])) != record["values"]:
            return None
        if how == "own":
            for read in record["files"]:
                require_own(Path(read))
    except (AwsLoginError, OSError, *_DAMAGED):
        return None
    return record


def _keep(
    file: Path, config: Config, before: Mapping[str, bytes], looked_at: RecordingEnviron
) -> None:
    """Keep a config, if its files are old enough to be known again by their fingerprints.

    Args:
        file: Where.
        config: Just loaded.
        before: Fingerprints from before it was loaded, beside its own.
        looked_at: The environment, which was asked for what it was found and loaded by.

    Raises:
        TypeError, ValueError: It holds what JSON does not.
    """
    fingerprints = {**before, **config.fingerprints}
    if not (config.trusted and len(config.names) <= MAX_PROFILES and not config.names_commands):
        return
    if not all(map(is_trustworthy, fingerprints.values())):
        return
    for_all = looked_at.seen(UNSEEN)
    deciding = dict(for_all)
    profiles: dict[str, Any] = {}
    providers: dict[str, Any] = {}
    for name in config.names:
        environ = looked_at.apart()
        resolved = config.in_environment(environ)
        try:
            profile = resolved.profile(name)
            specs = [resolved.provider(used) for used in profile.root.provider_names]
        except AwsLoginError:
            continue
        finally:
            deciding |= environ.seen()
        if all(registry.own_place(spec.type) and _is_told_by_json(spec) for spec in specs):
            providers |= {spec.name: _plain_provider(spec) for spec in specs}
            profiles[name] = {"values": _plain(profile), "variables": sorted(environ.seen())}
    record = {
        "path": str(config.path),
        "folder": str(config.folder),
        "names": config.names,
        "team": config.team,
        "default_profile": config.default_profile,
        "key_scope": config.key_scope,
        "place": config.place,
        "files": {read: was.decode() for read, was in fingerprints.items()},
        "variables": sorted(for_all),
        "deciding": sorted(deciding),
        "values": digest_of(deciding),
        "profiles": profiles,
        "providers": providers,
    }
    write_record(file, record)


def _plain(profile: Profile) -> dict[str, Any]:
    values = {field.name: getattr(profile, field.name) for field in fields(profile)}
    return values | {"source": _plain(profile.source) if profile.source else None}


def _profile_from(plain: Mapping[str, Any]) -> Profile:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
    }
    values["source"] = _profile_from(plain["source"]) if plain["source"] else None
    values["origins"] = {name: Origin(*place) for name, place in plain["origins"].items()}
    return Profile(**values)


def _plain_provider(spec: ProviderSpec) -> dict[str, Any]:
    return {
        "type": spec.type,
        "place": registry.own_place(spec.type),
        "written": dict(spec.written),
        "origins": dict(spec.origins),
    }


def _provider_from(name: str, plain: Mapping[str, Any]) -> ProviderSpec:
    plugin = registry.plugin_at(plain["place"])
    written = plain["written"]
    options = plugin.Options.model_validate(written) if takes_options(plugin) else NoOptions()
    origins = {key: Origin(*place) for key, place in plain["origins"].items()}
    return ProviderSpec(name, plugin, options, plain["type"], origins, written)


def _is_told_by_json(spec: ProviderSpec) -> bool:
    """Whether its options come back as they were: YAML has values that JSON does not."""
    again = _provider_from(spec.name, json.loads(json.dumps(_plain_provider(spec))))
    return again.options == spec.options or not takes_options(spec.plugin)
