"""From the file's lines to profiles and providers, each resolved, or refused, when asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from broker.arn import account_of, partition_of, region_for
from broker.config.aliases import alias_of, is_alias
from broker.config.chains import chain_flaws
from broker.config.commands import commands_in, flaw_of
from broker.config.document import Document
from broker.config.document import Path as Keys
from broker.config.models import FileModel, ProfileModel, ProviderModel
from broker.config.origin import Origin
from broker.config.problems import SpoiledFile, spoiled, validated
from broker.config.profile import LONGEST_CHAINED, Profile, ProviderSpec
from broker.config.rules import flaw_in, misfit_of_partitions
from broker.config.session_names import CLEANED, SESSION_NAME
from broker.config.unloaded import plugin_of
from broker.config.variables import expanded
from broker.errors import ConfigError, UsageError
from broker.nearest import Suggestions
from broker.provider import KeyHolder
from broker.regions import REGION, flaw_in_region

_OWN = ProfileModel.model_fields.keys() - {"provider", "source", "duration", "region"}


class Resolver:
    """Resolves the profiles and providers of one file."""

    def __init__(
        self,
        model: FileModel,
        document: Document,
        environ: Mapping[str, str],
        folder: Path,
        *,
        trusted: bool,
    ) -> None:
        self._model = model
        self._document = document
        self._environ = environ
        self._filling = environ if trusted else None
        self._folder = folder
        self._trusted = trusted
        self._profiles: dict[str, Profile | ConfigError] = {}
        self._nearest = Suggestions()
        self._providers: dict[str, ProviderSpec] = {}

    def profile(self, name: str) -> Profile:
        """A profile, resolved.

        Raises:
            ConfigError: There is no such profile, or it is spoiled.
        """
        if name not in self._profiles:
            if name not in self._model.profiles:
                raise self.unknown_profile(name, ())
            try:
                self._profiles[name] = self._resolved(name, self._model.profiles[name])
            except ConfigError as error:
                self._profiles[name] = error
        profile = self._profiles[name]
        if isinstance(profile, ConfigError):
            raise profile
        return profile

    def provider(self, name: str) -> ProviderSpec:
        """A provider with checked options.

        Raises:
            ConfigError: There is no such provider, or its plugin is missing.
        """
        if name not in self._providers:
            model = self._model.providers.get(name)
            if model is None:
                raise ConfigError(
                    f"there is no provider `{name}`",
                    file=self._document.file,
                    hint=self._nearest(name, self._model.providers),
                )
            self._providers[name] = self._spec(name, model)
        return self._providers[name]

    def unknown_profile(self, name: str, keys: Keys) -> ConfigError:
        """An error for a name that no profile has, placed where it is used, if that is in YAML."""
        message = f"there is no profile `{name}`"
        hint = self._nearest(name, self._model.profiles) or "`awslogin list` shows all"
        if keys:
            return self._document.error(keys, message, hint=hint)
        return ConfigError(message, file=self._document.file, hint=hint)

    def _spec(self, name: str, model: ProviderModel) -> ProviderSpec:
        keys: Keys = ("providers", name)
        try:
            plugin = plugin_of(model.type, trusted=self._trusted)
        except ConfigError as error:
            raise self._document.error((*keys, "type"), error.reason, hint=error.hint) from error
        raw = {
            key: expanded(value, (*keys, key), self._document, self._filling)
            for key, value in (model.model_extra or {}).items()
        }
        for command in commands_in({"providers": {name: raw}}):
            flaw = flaw_of(command, self._folder)
            if flaw:
                raise self._document.error(command.keys, flaw)
        findings, options = validated(plugin.Options, raw, self._document, keys)
        if findings:
            raise spoiled(findings)
        origins = {key: self._document.origin((*keys, key)) for key in raw}
        return ProviderSpec(name, plugin, options, model.type, origins, raw)

    def _resolved(self, name: str, model: ProfileModel) -> Profile:
        flaw = flaw_in(model)
        if flaw:
            raise self._spoiled(name, flaw.key, flaw.message, hint=flaw.hint)
        source = self._source(name, model)
        if source and is_alias(model):
            return alias_of(source, name, model, self._document)
        specs = self._specs_of(name, model)
        values, origins = self._own_values(name, model)
        values["region"], origins["region"] = self._region(name, model, source, specs)
        if model.account and model.role:
            partition = partition_of(values["region"])
            values["role_arn"] = f"arn:{partition}:iam::{model.account}:role/{model.role}"
        values["account"] = model.account or account_of(values["role_arn"])
        holds_keys = any(issubclass(spec.plugin, KeyHolder) for spec in specs)
        profile = Profile(
            **values,
            name=name,
            team=self._model.team or "",
            provider_names=tuple(model.provider or ()),
            source=source,
            keys_profile=source.name
            if source and source.is_bare_keys
            else (name if holds_keys else None),
            origins=origins,
        )
        profile = self._with_duration(profile, model)
        if source and profile.keys_profile:
            specs = [self.provider(provider) for provider in source.provider_names]
        self._check_with_plugins(profile, specs)
        return profile

    def _own_values(
        self, name: str, model: ProfileModel
    ) -> tuple[dict[str, Any], dict[str, Origin]]:
        """The profile's own values, `${…}` filled in, and the defaults for those it lacks."""
        keys: Keys = ("profiles", name)
        values: dict[str, Any] = {}
        for field in _OWN:
            values[field] = tuple(v) if isinstance(v := getattr(model, field), list) else v
        origins = {field: self._document.origin((*keys, field)) for field in model.model_fields_set}
        for field in ("session_name", "source_identity"):
            given = getattr(self._model.defaults, field)
            if values[field] is None and given:
                values[field] = given
                origins[field] = self._document.origin(("defaults", field))
        for field in ("session_name", "source_identity", "external_id"):
            written = values[field]
            filled = expanded(written, (*keys, field), self._document, self._filling, name)
            values[field] = filled if filled == written else CLEANED.get(field, str)(filled)
        values["session_tags"] = {
            key: expanded(value, (*keys, "session_tags", key), self._document, self._filling, name)
            for key, value in values["session_tags"].items()
        }
        for command in commands_in({"profiles": {name: values}}):
            flaw = flaw_of(command, self._folder)
            if flaw:
                raise self._spoiled(name, "mfa_process", flaw)
        for field in ("session_name", "source_identity"):
            text = values[field] or ""
            if "${" in text:
                continue  # of a file that is not trusted no variable is filled in
            if text and not re.fullmatch(SESSION_NAME, text, re.ASCII):
                rule = f"`{field}` takes 2 to 64 letters, digits and +=,.@_-: not “{text}”"
                raise self._spoiled(name, field, rule)
        return values, origins

    def _source(self, name: str, model: ProfileModel) -> Profile | None:
        if not model.source:
            return None
        if model.source not in self._model.profiles:
            raise self._spoiled(
                name,
                "source",
                f"there is no profile `{model.source}`",
                hint=self._nearest(model.source, self._model.profiles.keys() - {name}),
            )
        flaw = self._chain_flaws.get(name)
        if flaw:
            raise self._spoiled(name, "source", flaw)
        try:
            return self.profile(model.source)
        except ConfigError as error:
            raise self._spoiled(
                name, "source", f"its source `{model.source}` is spoiled", hint=str(error)
            ) from error

    @cached_property
    def _chain_flaws(self) -> dict[str, str]:
        return chain_flaws(
            {name: model.source for name, model in self._model.profiles.items() if model.source}
        )

    def _specs_of(self, name: str, model: ProfileModel) -> list[ProviderSpec]:
        specs = []
        for index, provider in enumerate(model.provider or ()):
            if provider not in self._model.providers:
                keys: Keys = ("profiles", name, "provider", index)
                raise self._document.error(
                    keys,
                    f"there is no provider `{provider}`",
                    hint=self._nearest(provider, self._model.providers),
                    profile=name,
                )
            try:
                specs.append(self.provider(provider))
            except SpoiledFile:
                raise
            except ConfigError as error:
                error.profile = name
                raise
        return specs

    def _region(
        self, name: str, model: ProfileModel, source: Profile | None, specs: list[ProviderSpec]
    ) -> tuple[str, Origin]:
        """The profile's region; one that is not its own gives way to the role's partition."""
        region, origin = self._named_region(name, model, source, specs)
        if flaw := flaw_in_region(region):
            raise ConfigError(
                f"profile `{name}`: {flaw}", file=origin.file, line=origin.line, profile=name
            )
        if misfit := misfit_of_partitions(model, region, source):
            raise self._spoiled(name, misfit.key, misfit.message, hint=misfit.hint)
        fitting = region_for(model.role_arn, region)
        return fitting, origin if fitting == region else Origin()

    def _named_region(
        self, name: str, model: ProfileModel, source: Profile | None, specs: list[ProviderSpec]
    ) -> tuple[str, Origin]:
        """Its own region, the defaults', the source's, the environment's, the provider's."""
        if model.region:
            return model.region, self._document.origin(("profiles", name, "region"))
        if self._model.defaults.region:
            return self._model.defaults.region, self._document.origin(("defaults", "region"))
        if source:
            return source.region, source.origins["region"]
        for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            region = self._environ.get(variable)
            if region:
                if not re.fullmatch(REGION, region, re.ASCII):
                    raise UsageError(f"{variable} is no region", hint="set it to such as eu-west-1")
                return region, Origin(file=f"${variable}")
        if specs and (own := specs[0].options.region_of_its_own):
            return own, specs[0].origins.get("region", Origin())
        return region_for(model.role_arn), Origin()

    def _with_duration(self, profile: Profile, model: ProfileModel) -> Profile:
        """The duration: the profile's own must be possible, an inherited one is lowered."""
        if model.duration:
            problem = profile.refuses(model.duration)
            if problem:
                raise self._spoiled(profile.name, "duration", problem)
            return replace(profile, duration=model.duration)
        inherited = self._model.defaults.duration
        if not inherited:
            if profile.is_chained:
                return replace(profile, duration=LONGEST_CHAINED)
            return profile
        origins = {**profile.origins, "duration": self._document.origin(("defaults", "duration"))}
        problem = profile.refuses(inherited)
        if problem and inherited < profile.longest:
            raise self._spoiled(profile.name, "duration", problem)
        return replace(
            profile,
            duration=min(inherited, profile.longest),
            origins=origins,
        )

    def _check_with_plugins(self, profile: Profile, specs: list[ProviderSpec]) -> None:
        """What the plugins themselves miss in the profile."""
        request = profile.request()
        for spec in specs:
            problem = spec.plugin.check(spec.options, request)
            if problem:
                raise self._spoiled(profile.name, "", problem)

    def _spoiled(self, name: str, field: str, message: str, *, hint: str = "") -> ConfigError:
        keys: Keys = ("profiles", name, field) if field else ("profiles", name)
        return self._document.error(keys, f"profile `{name}`: {message}", hint=hint, profile=name)
