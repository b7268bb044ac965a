"""pydantic's errors into ours: file, line, column, and the nearest right key. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from broker.config.document import Document
from broker.config.document import Path as Keys
from broker.errors import ConfigError
from broker.nearest import did_you_mean

FORMS = {
    "account": "twelve digits, quoted",
    "role_arn": "arn:aws:iam::111122223333:role/NAME",
    "region": "such as eu-west-1",
    "mfa_serial": "arn:aws:iam::111122223333:mfa/NAME",
    "role": "the role's name, with its path where it has one",
}
"""What a value of a wrong form should look like."""


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


def validated(
    model: type[BaseModel], data: object, document: Document, keys: Keys
) -> tuple[list[ConfigError], Any]:
    """The model of some data and no errors, or all errors and None.

    Args:
        model: The form that the data should have.
        data: From the document.
        document: Knows where each value stands.
        keys: Where in the document the data stands.
    """
    try:
        return [], model.model_validate(data)
    except ValidationError as error:
        return [_config_error(document, keys, model, found) for found in error.errors()], None


def in_order(errors: Iterable[ConfigError]) -> list[ConfigError]:
    """By place; of one line, what is missing comes after the unknown key that was meant for it."""
    return sorted(
        errors,
        key=lambda error: (
            error.line or 0,
            error.reason.endswith("is missing"),
            error.column or 0,
        ),
    )


def unknown_key(document: Document, path: Keys, model: type[BaseModel] | None) -> ConfigError:
    """A key that the model has not."""
    key = str(path[-1])
    hint = did_you_mean(key, names_of(model)) if model else ""
    return document.error(path, f"unknown key `{key}`", hint=hint)


def names_of(model: type[BaseModel]) -> list[str]:
    """The model's keys, as they stand in YAML."""
    return [field.alias or name for name, field in model.model_fields.items()]


def dotted(keys: Keys) -> str:
    """`profiles.prod.role`."""
    return ".".join(str(key) for key in keys)


def _config_error(
    document: Document, keys: Keys, model: type[BaseModel], error: Any
) -> ConfigError:
    path: Keys = (*keys, *(part for part in error["loc"] if part != "[key]"))
    name = dotted(path)
    if error["type"] == "extra_forbidden":
        return unknown_key(document, path, _model_at(model, error["loc"][:-1]))
    if error["type"] == "missing":
        return document.error(path, f"`{name}` is missing")
    if "[key]" in error["loc"]:
        return document.error(path, f"`{path[-1]}` is no valid name: letters, digits and ._@+-")
    if error["type"] == "string_pattern_mismatch":
        return document.error(
            path, f"`{name}` has the wrong form", hint=FORMS.get(str(path[-1]), "")
        )
    if error["type"] in {"model_type", "model_attributes_type"}:
        return document.error(path, f"`{name}` is a mapping of keys and values")
    message = str(error["msg"]).removeprefix("Value error, ")
    return document.error(path, f"`{name}`: {message[:1].lower()}{message[1:]}")


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
