"""The structure of the team's YAML, in pydantic. Owns names and types, not their meaning."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from broker.config.report_settings import ReportSettings
from broker.config.values import (
    AccountId,
    MfaSerial,
    Name,
    PolicyArn,
    Region,
    RoleArn,
    RoleName,
    Tags,
    Text,
)
from broker.duration_field import Duration


class Model(BaseModel):
    """Base: an unknown key is an error, and errors never repeat a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _policy(value: object) -> object:
    """A policy is JSON text, or a mapping that becomes it."""
    if isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"), default=str)
    return value


def _list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    list[Name],
    BeforeValidator(_list, json_schema_input_type=Name | list[Name]),
    Field(min_length=1),
]
Policy = Annotated[str, BeforeValidator(_policy, json_schema_input_type=str | dict[str, Any])]


def _version(value: object) -> object:
    """YAML's `true` equals 1 in Python, but is no version."""
    return None if isinstance(value, bool) else value


Version = Annotated[Literal[1], BeforeValidator(_version)]


class DefaultsModel(Model):
    """`defaults:` for profiles that do not say otherwise."""

    region: Region | None = None
    duration: Duration | None = None
    session_name: Text | None = None
    source_identity: Text | None = None


class ProfileModel(Model):
    """One entry of `profiles:`."""

    provider: Names | None = None
    source: Name | None = None
    account: AccountId | None = None
    role: RoleName | None = None
    role_arn: RoleArn | None = None
    region: Region | None = None
    duration: Duration | None = None
    mfa_serial: MfaSerial | None = None
    mfa_process: Text | None = None
    external_id: Text | None = None
    session_name: Text | None = None
    session_tags: Tags = Field(default_factory=dict)
    transitive_tags: list[Text] = Field(default_factory=list)
    source_identity: Text | None = None
    policy: Policy | None = None
    policy_arns: list[PolicyArn] = Field(default_factory=list)
    tags: Tags = Field(default_factory=dict)


class ProviderModel(BaseModel):
    """One entry of `providers:`; the plugin of its `type` checks the rest."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    type: Text


class FileModel(Model):
    """A whole file."""

    version: Version
    team: Name | None = None
    default_profile: Name | None = None
    extends: list[Text] | None = None
    defaults: DefaultsModel = DefaultsModel()
    providers: dict[Name, ProviderModel] = {}
    profiles: dict[Name, ProfileModel] = {}
    report: ReportSettings = ReportSettings()

    @field_validator("defaults", "providers", "profiles", "report", mode="before")
    @classmethod
    def _nothing_yet(cls, value: object) -> object:
        """A heading with nothing under it is null in YAML."""
        return {} if value is None else value


def json_schema(*, plugins: bool = False) -> dict[str, Any]:
    """The JSON schema of the YAML.

    Args:
        plugins: With the options of other wheels' providers, which are loaded for it.
    """
    from broker import registry

    schema = FileModel.model_json_schema()
    kinds = []
    for name in sorted(n for n in registry.names() if plugins or registry.is_own(n)):
        options = registry.load(name).Options.model_json_schema(
            ref_template=f"#/$defs/{name}.{{model}}"
        )
        for key, definition in options.pop("$defs", {}).items():
            schema["$defs"][f"{name}.{key}"] = definition
        options["properties"] = {"type": {"const": name}, **options.get("properties", {})}
        options["required"] = ["type", *options.get("required", [])]
        kinds.append(options)
    schema["$defs"]["ProviderModel"] = {"anyOf": kinds}
    return schema
