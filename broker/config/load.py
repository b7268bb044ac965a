"""From files to profiles: which file, what is wrong in it, and each profile resolved.

What spoils the file is raised by `load`; what concerns one profile alone is raised when that
profile is asked for, and all of it stands in `problems`.
"""

from __future__ import annotations

import difflib
import getpass
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from broker import registry
from broker.config.document import MAX_BYTES, Document, parse
from broker.config.document import Path as Keys
from broker.config.models import FileModel, ProfileModel, ProviderModel
from broker.config.profile import LONGEST_CHAINED, Origin, Profile, ProviderSpec
from broker.config.secrets import VARIABLES, secrets_in
from broker.config.trust import Trust
from broker.config.values import REGION, SESSION_NAME
from broker.errors import ConfigError, InteractionRequired, UsageError
from broker.paths import config_dir, expanded
from broker.ports.aws import account_of, partition_of, region_for
from broker.provider import KeyHolder
from broker.file_fingerprint import stamp

FILE_NAME = "awslogin.yaml"
LONGEST_CHAIN = 50
"""Sources behind one another; AWS itself sets no bound, reason does."""

EXAMPLE = """\
version: 1
providers:
  corp: {type: identity-center, start_url: https://corp.awsapps.com/start, region: eu-west-1}
profiles:
  dev: {provider: corp, account: "111122223333", role: Developer}"""

_OWN = ProfileModel.model_fields.keys() - {"provider", "source", "duration", "region"}
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class NoConfig(ConfigError):
    """There is no config at all."""


class SpoiledFile(ConfigError):
    """A file with errors that spoil all of it.

    Attributes:
        errors: All of them, in the order of the file.
    """

    def __init__(self, errors: list[ConfigError]) -> None:
        first = errors[0]
        super().__init__(
            first.reason, file=first.file, line=first.line, column=first.column, hint=first.hint
        )
        self.errors = errors
        if len(errors) > 1:
            more = f"`awslogin config check` shows {len(errors) - 1} more"
            self.hint = f"{self.hint}; {more}" if self.hint else more


def load(explicit: str | None, environ: Mapping[str, str], cwd: Path) -> Config:
    """The config that counts here.

    Args:
        explicit: The path behind `--config`; trusted for this call.
        environ: `AWSLOGIN_CONFIG` is trusted as given.
        cwd: Where the walk up for `awslogin.yaml` begins.

    Raises:
        NoConfig: There is none.
        SpoiledFile, ConfigError: It cannot be read, or is wrong as a whole.
    """
    path, given = find(explicit, environ, cwd)
    stamps = {str(path): stamp(str(path))}
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from error
    document = parse(content, str(path))
    return Config(
        path, document, _model(document), environ, content=content, given=given, stamps=stamps
    )


def find(explicit: str | None, environ: Mapping[str, str], cwd: Path) -> tuple[Path, bool]:
    """The config file, and whether it is trusted as given.

    Raises:
        NoConfig: There is none.
    """
    named = explicit or environ.get("AWSLOGIN_CONFIG")
    if named:
        return expanded(named).absolute(), True
    for folder in (cwd, *cwd.parents):
        # Unlike `Path.is_file`: a folder that we may not look into has none, as on the warm path.
        if os.path.isfile(folder / FILE_NAME):  # noqa: PTH113
            return folder / FILE_NAME, False
    own = config_dir(environ) / "config.yaml"
    if own.is_file():
        return own, True
    raise NoConfig(
        f"there is no config: neither {FILE_NAME} here or above, nor {own}",
        hint=f"write one, for example:\n{EXAMPLE}",
    )


class Config:
    """One loaded config.

    Attributes:
        stamps: Every file that was read, with its stamp from before.
    """

    def __init__(
        self,
        path: Path,
        document: Document,
        model: FileModel,
        environ: Mapping[str, str],
        *,
        content: bytes,
        given: bool,
        stamps: dict[str, bytes],
    ) -> None:
        self.path = path
        self.stamps = stamps
        self.team = model.team or ""
        self.default_profile = model.default_profile
        self.document = document
        self.given = given
        self.content = content
        self._model = model
        self._environ = environ
        self._profiles: dict[str, Profile] = {}
        self._providers: dict[str, ProviderSpec] = {}

    @property
    def names(self) -> list[str]:
        """All profiles, in the file's order."""
        return list(self._model.profiles)

    @property
    def provider_names(self) -> list[str]:
        """All providers, in the file's order."""
        return list(self._model.providers)

    def __contains__(self, name: object) -> bool:
        return name in self._model.profiles

    @cached_property
    def trusted(self) -> bool:
        """Whether the file may be acted on."""
        if self.given:
            return True
        trust = Trust(self._environ)
        self.stamps[str(trust.path)] = stamp(str(trust.path))
        return trust.holds(self.content)

    def require_trust(self) -> None:
        """Refuse to act on a file that the person has not trusted.

        Raises:
            InteractionRequired: It is not trusted.
        """
        if not self.trusted:
            raise InteractionRequired(
                f"{self.path} was found here, but you have not said that you trust it as it is now",
                hint=f"read it, then `awslogin config trust {self.path}`",
            )

    @cached_property
    def problems(self) -> list[ConfigError]:
        """What is wrong with single profiles, in the file's order."""
        found: list[ConfigError] = []
        for name in self.names:
            try:
                self.profile(name)
            except ConfigError as error:
                found.append(error)
        if self.default_profile and self.default_profile not in self:
            found.append(self._unknown_profile(self.default_profile, ("default_profile",)))
        return found

    def profile(self, name: str) -> Profile:
        """A profile, resolved.

        Raises:
            ConfigError: There is no such profile, or it is spoiled.
        """
        return self._resolve(name, ())

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
                    file=str(self.path),
                    hint=_did_you_mean(name, self.provider_names),
                )
            self._providers[name] = self._spec(name, model)
        return self._providers[name]

    def _spec(self, name: str, model: ProviderModel) -> ProviderSpec:
        keys: Keys = ("providers", name)
        try:
            plugin = registry.load(model.type)
        except ConfigError as error:
            raise self.document.error((*keys, "type"), error.reason, hint=error.hint) from error
        raw = {
            key: self._expanded(value, (*keys, key))
            for key, value in (model.model_extra or {}).items()
        }
        errors, options = _validated(plugin.Options, raw, self.document, keys)
        if errors:
            raise SpoiledFile(errors)
        origins = {key: self._origin((*keys, key)) for key in raw}
        return ProviderSpec(name, plugin, options, model.type, origins)

    def _resolve(self, name: str, above: tuple[str, ...]) -> Profile:
        if name not in self._profiles:
            if name not in self._model.profiles:
                raise self._unknown_profile(name, ())
            self._profiles[name] = self._resolved(name, self._model.profiles[name], above)
        return self._profiles[name]

    def _resolved(self, name: str, model: ProfileModel, above: tuple[str, ...]) -> Profile:
        self._check_structure(name, model)
        source = self._source(name, model, above)
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
            team=self.team,
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
            value = getattr(model, field)
            values[field] = tuple(value) if isinstance(value, list) else value
        origins = {field: self._origin((*keys, field)) for field in model.model_fields_set}
        given = self._model.defaults.session_name
        if values["session_name"] is None and given:
            values["session_name"] = given
            origins["session_name"] = self._origin(("defaults", "session_name"))
        for field in ("session_name", "source_identity", "external_id"):
            values[field] = self._expanded(values[field], (*keys, field), name)
        values["session_tags"] = {
            key: self._expanded(value, (*keys, "session_tags", key), name)
            for key, value in values["session_tags"].items()
        }
        for field in ("session_name", "source_identity"):
            if values[field] and not re.fullmatch(SESSION_NAME, values[field], re.ASCII):
                raise self._spoiled(
                    name, field, f"`{field}` takes 2 to 64 letters, digits and +=,.@_-"
                )
        return values, origins

    def _check_structure(self, name: str, model: ProfileModel) -> None:
        """What no profile may lack or have at once."""
        if bool(model.provider) == bool(model.source):
            both = model.provider and model.source
            raise self._spoiled(
                name,
                "source" if both else "",
                "has both `provider` and `source`"
                if both
                else "has neither `provider` nor `source`",
                hint="a profile signs in by its provider, or takes its role from a source profile",
            )
        if model.role_arn and model.role:
            raise self._spoiled(name, "role", "has both `role` and `role_arn`", hint="keep one")
        if model.role and not model.account:
            raise self._spoiled(name, "role", "has a `role` but no `account`", hint="add `account`")
        if model.source and not (model.role_arn or model.role):
            raise self._spoiled(name, "source", "has a `source` but no role", hint="add `role_arn`")
        if model.account and model.role_arn and account_of(model.role_arn) != model.account:
            raise self._spoiled(name, "account", "`account` is not the account of `role_arn`")
        missing = set(model.transitive_tags) - set(model.session_tags)
        if missing:
            raise self._spoiled(
                name, "transitive_tags", f"`{min(missing)}` is not among `session_tags`"
            )

    def _source(self, name: str, model: ProfileModel, above: tuple[str, ...]) -> Profile | None:
        if not model.source:
            return None
        chain = (*above, name)
        if model.source in chain:
            circle = " → ".join([*chain[chain.index(model.source) :], model.source])
            raise self._spoiled(name, "source", f"the sources run in a circle: {circle}")
        if model.source not in self._model.profiles:
            raise self._spoiled(
                name,
                "source",
                f"there is no profile `{model.source}`",
                hint=_did_you_mean(model.source, self.names),
            )
        if len(chain) > LONGEST_CHAIN:
            raise self._spoiled(name, "source", f"stands on more than {LONGEST_CHAIN} sources")
        try:
            source = self._resolve(model.source, chain)
        except ConfigError as error:
            if "circle" in error.reason:
                circle = error.reason.partition(": ")[2]
                raise self._spoiled(name, "source", circle) from error
            raise self._spoiled(
                name, "source", f"its source `{model.source}` is spoiled", hint=str(error)
            ) from error
        if source.depth >= LONGEST_CHAIN:
            raise self._spoiled(name, "source", f"stands on more than {LONGEST_CHAIN} sources")
        return source

    def _specs_of(self, name: str, model: ProfileModel) -> list[ProviderSpec]:
        specs = []
        for index, provider in enumerate(model.provider or ()):
            if provider not in self._model.providers:
                keys: Keys = ("profiles", name, "provider", index)
                raise self.document.error(
                    keys,
                    f"there is no provider `{provider}`",
                    hint=_did_you_mean(provider, self.provider_names),
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
        """The profile's region: its own, the defaults', the environment's, the provider's."""
        if model.region:
            return model.region, self._origin(("profiles", name, "region"))
        if self._model.defaults.region:
            return self._model.defaults.region, self._origin(("defaults", "region"))
        if source:
            return source.region, source.origins["region"]
        for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            region = self._environ.get(variable)
            if region:
                if not re.fullmatch(REGION, region, re.ASCII):
                    raise UsageError(f"{variable} is no region", hint="set it to such as eu-west-1")
                return region, Origin(file=f"${variable}")
        own = getattr(specs[0].options, "region", None) if specs else None
        if own:
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
        origins = {**profile.origins, "duration": self._origin(("defaults", "duration"))}
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

    def _expanded(self, value: Any, keys: Keys, profile: str | None = None) -> Any:
        """Text with `${NAME}` filled in from the environment, in lists and mappings too."""
        if isinstance(value, dict):
            return {k: self._expanded(v, (*keys, k), profile) for k, v in value.items()}
        if isinstance(value, list):
            return [self._expanded(v, (*keys, i), profile) for i, v in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value

        def fill(match: re.Match[str]) -> str:
            name = match.group(1)
            if VARIABLES.search(name):
                raise self.document.error(
                    keys, f"${{{name}}} may hold a secret and is not filled in", profile=profile
                )
            found = self._environ.get(name) or (_user(self._environ) if name == "USER" else None)
            if not found:
                raise self.document.error(
                    keys, f"the variable {name} is not set", hint=f"set {name}", profile=profile
                )
            return found

        return _VARIABLE.sub(fill, value)

    def _origin(self, keys: Keys) -> Origin:
        return Origin(self.document.file, self.document.place(keys)[0])

    def _spoiled(self, name: str, field: str, message: str, *, hint: str = "") -> ConfigError:
        keys: Keys = ("profiles", name, field) if field else ("profiles", name)
        return self.document.error(keys, f"profile `{name}`: {message}", hint=hint, profile=name)

    def _unknown_profile(self, name: str, keys: Keys) -> ConfigError:
        message = f"there is no profile `{name}`"
        hint = _did_you_mean(name, self.names) or "`awslogin list` shows all"
        if keys:
            return self.document.error(keys, message, hint=hint)
        return ConfigError(message, file=str(self.path), hint=hint)


def _model(document: Document) -> FileModel:
    """The file's structure.

    Raises:
        SpoiledFile: With everything that is wrong in the file as a whole.
    """
    errors = [*document.problems, *secrets_in(document)]
    if not isinstance(document.data, dict):
        raise SpoiledFile([document.error((), "a config is a mapping that begins `version: 1`")])
    model: FileModel | None
    wrong, model = _validated(FileModel, document.data, document, ())
    errors += wrong
    if model is not None:
        if model.extends is not None:
            errors.append(document.error(("extends",), "`extends` is not supported yet"))
        errors += _option_errors(model, document)
        errors += _account_errors(document)
    if errors or model is None:
        raise SpoiledFile(sorted(errors, key=_order))
    return model


def _order(error: ConfigError) -> tuple[int, bool, int]:
    """By place; of one line, what is missing comes after the unknown key that was meant for it."""
    return error.line or 0, error.reason.endswith("is missing"), error.column or 0


def _account_errors(document: Document) -> Iterable[ConfigError]:
    """Unquoted account ids of which YAML made another number, such as hexadecimal ones."""
    for path, text in document.raw.items():
        if path[:1] == ("profiles",) and path[-1:] == ("account",) and not re.fullmatch(
            r"\d{12}", text, re.ASCII
        ):  # fmt: skip
            yield document.error(path, f"`{_dotted(path)}`: quote the account id")


def _option_errors(model: FileModel, document: Document) -> Iterable[ConfigError]:
    """Unknown or misformed options of the providers whose plugin is there."""
    for name, provider in model.providers.items():
        try:
            options = registry.load(provider.type).Options
        except ConfigError:
            continue
        extra = provider.model_extra or {}
        if "${" not in str(extra):
            yield from _validated(options, extra, document, ("providers", name))[0]
        else:
            unknown = extra.keys() - _names(options)
            for key in sorted(unknown):
                yield _unknown_key(document, ("providers", name, key), options)


def _validated(
    model: type[BaseModel], data: object, document: Document, keys: Keys
) -> tuple[list[ConfigError], Any]:
    """The model of some data, or the errors with their places."""
    try:
        return [], model.model_validate(data)
    except ValidationError as error:
        return [_config_error(document, keys, model, one) for one in error.errors()], None


def _config_error(
    document: Document, keys: Keys, model: type[BaseModel], error: Any
) -> ConfigError:
    path: Keys = (*keys, *(part for part in error["loc"] if part != "[key]"))
    name = _dotted(path)
    if error["type"] == "extra_forbidden":
        return _unknown_key(document, path, _model_at(model, error["loc"][:-1]))
    if error["type"] == "missing":
        return document.error(path, f"`{name}` is missing")
    if "[key]" in error["loc"]:
        return document.error(path, f"`{path[-1]}` is no valid name: letters, digits and ._@+-")
    if error["type"] == "string_pattern_mismatch":
        return document.error(path, f"`{name}` has the wrong form", hint=_form(path))
    if error["type"] in {"model_type", "model_attributes_type"}:
        return document.error(path, f"`{name}` is a mapping of keys and values")
    message = str(error["msg"]).removeprefix("Value error, ")
    return document.error(path, f"`{name}`: {message[:1].lower()}{message[1:]}")


def _form(keys: Keys) -> str:
    forms = {
        "account": "twelve digits, quoted",
        "role_arn": "arn:aws:iam::111122223333:role/NAME",
        "region": "such as eu-west-1",
        "mfa_serial": "arn:aws:iam::111122223333:mfa/NAME",
        "role": "the role's name, with its path where it has one",
    }
    return forms.get(str(keys[-1]), "")


def _unknown_key(document: Document, path: Keys, model: type[BaseModel] | None) -> ConfigError:
    key = str(path[-1])
    hint = _did_you_mean(key, _names(model)) if model else ""
    return document.error(path, f"unknown key `{key}`", hint=hint)


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(model: type[BaseModel], loc: Iterable[Any]) -> type[BaseModel] | None:
    """The model whose key is wrong: the one that the path of keys leads to."""
    found: Any = model
    for part in loc:
        if isinstance(found, type) and issubclass(found, BaseModel):
            field = found.model_fields.get(str(part))
            if field is None:
                continue
            found = field.annotation
        models = _models_in(found)
        found = models[0] if models else found
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [model for part in inner for model in _models_in(part)]


def _dotted(keys: Keys) -> str:
    return ".".join(str(key) for key in keys)


def _did_you_mean(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), 1, cutoff=0.5)
    return f"did you mean `{near[0]}`?" if near else ""


def _user(environ: Mapping[str, str]) -> str | None:
    try:
        return environ.get("USERNAME") or getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
