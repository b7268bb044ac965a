"""pydantic's errors into ours: file, line, column, and the nearest right key. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

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


_MAPPING, _NUMBER, _TRUTH = "a mapping of keys and values", "a whole number", "true or false"
EXPECTED = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), _MAPPING),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _TRUTH),
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), "a list"),
    "string_type": "text",
    "string_too_short": "empty",
    "too_short": "empty",
    "none_required": "left out",
}
"""pydantic's type of an error → what the value should be, or is."""

MAX_SHOWN = 20
"""Errors of one file that are reported."""


class Finding(NamedTuple):
    """An error that is made only if it is reported: there may be very many.

    Attributes:
        place: Line, whether a key is missing, column. What is missing comes after an unknown key
            of the same line, which was meant for it.
        error: Makes it.
        path: Where in the document it is.
    """

    place: tuple[int, bool, int]
    error: Callable[[], ConfigError]
    path: Keys = ()

    @property
    def missing(self) -> bool:
        """Whether a key is missing."""
        return self.place[1]


class SpoiledFile(ConfigError):
    """A file with errors that spoil all of it.

    Attributes:
        errors: The first of them, in the order of the file.
        count: How many there are.
    """

    def __init__(
        self,
        errors: list[ConfigError],
        count: int | None = None,
        first: ConfigError | None = None,
    ) -> None:
        first = first or errors[0]
        super().__init__(
            first.reason, file=first.file, line=first.line, column=first.column, hint=first.hint
        )
        self.errors = errors
        self.count = count or len(errors)
        if self.count > 1:
            more = f"`awslogin config check` shows {self.count - 1} more"
            if self.count > MAX_SHOWN:
                more = f"`awslogin config check` shows the first {MAX_SHOWN} of {self.count}"
            self.hint = f"{self.hint}; {more}" if self.hint else more


def spoiled(findings: list[Finding], also: Iterable[ConfigError] = ()) -> SpoiledFile:
    """All that was found as one error, with the first `MAX_SHOWN` in the order of the file.

    Args:
        findings: What spoils the file; the first of it is what the error says.
        also: What is wrong with single profiles.
    """
    every = [*findings, *map(found, also)]
    shown = sorted(every, key=lambda finding: finding.place)[:MAX_SHOWN]
    first = min(findings, key=lambda finding: finding.place)
    return SpoiledFile([finding.error() for finding in shown], len(every), first.error())


def found(error: ConfigError) -> Finding:
    """An error that was made already."""
    return Finding((error.line or 0, False, error.column or 0), lambda: error)


def validated(
    model: type[BaseModel], data: object, document: Document, keys: Keys
) -> tuple[list[Finding], Any]:
    """The model of some data and no findings, or all findings and None.

    Args:
        model: The form that the data should have.
        data: From the document.
        document: Knows where each value stands.
        keys: Where in the document the data stands.
    """
    try:
        return [], model.model_validate(data)
    except ValidationError as error:
        details = [detail | {"loc": _within(data, detail)} for detail in _details(error)]
        findings = [_finding(document, keys, model, detail) for detail in details]
        return list({finding.path: finding for finding in reversed(findings)}.values())[::-1], None


def _within(data: Any, detail: Any) -> Keys:
    """Where in the data an error is: pydantic names the forms of a choice as if they were keys."""
    path: list[str | int] = []
    *_, last = detail["loc"] or ("",)
    for part in detail["loc"]:
        inside = isinstance(data, dict) and part in data
        inside = inside or (isinstance(data, list) and isinstance(part, int))
        if inside:
            path.append(part)
            data = data[part] if isinstance(data, dict) or part < len(data) else None
        elif part == "[key]" or (part == last and detail["type"] == "missing"):
            path.append(part)
    return tuple(path)


def _details(error: ValidationError) -> list[Any]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _finding(document: Document, keys: Keys, model: type[BaseModel], detail: Any) -> Finding:
    path: Keys = (*keys, *(part for part in detail["loc"] if part != "[key]"))
    origin = document.origin(path)
    return Finding(
        (origin.line or 0, detail["type"] == "missing", origin.column or 0),
        lambda: _config_error(document, path, model, detail),
        path,
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
    document: Document, path: Keys, model: type[BaseModel], error: Any
) -> ConfigError:
    name = dotted(path)
    if error["type"] == "extra_forbidden":
        return unknown_key(document, path, _model_at(model, error["loc"][:-1]))
    if error["type"] == "missing":
        return document.error(path, f"`{name}` is missing")
    if "[key]" in error["loc"]:
        word, bracket, _ = str(path[-1]).partition(" {")
        if bracket:
            return document.error(path, f"a colon is missing after `{word}`")
        return document.error(path, f"`{path[-1]}` is no valid name: letters, digits and ._@+-")
    if error["type"] == "string_pattern_mismatch":
        return document.error(
            path, f"`{name}` has the wrong form", hint=FORMS.get(str(path[-1]), "")
        )
    if error["type"] in EXPECTED:
        return document.error(path, f"`{name}` is {EXPECTED[error['type']]}")
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'|(?<= )(\d+)", message)
        names = [text or number for text, number in choices]
        hint = did_you_mean(document.raw.get(path, ""), names)
        return document.error(path, f"`{name}` is {_either(names)}", hint=hint)
    message = message.replace("Input should be ", "must be ")
    return document.error(path, f"`{name}`: {message[:1].lower()}{message[1:]}")


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


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
