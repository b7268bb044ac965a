"""As much of Go's templates as tools use in names: fields, `FirstItem` and `nospace`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_ITEM = re.compile(r"\(\s*(\.[\w.]+)\s*\|\s*nospace\s*\)|(\.[\w.]+)|\"([^\"]*)\"")
_PIPE = re.compile(r"(\.[\w.]+)(?:\s*\|\s*(nospace|lower|upper))?")
_CASES = {"nospace": lambda text: re.sub(r"\s", "", text), "lower": str.lower, "upper": str.upper}


def filled(template: str, fields: Mapping[str, str]) -> str | None:
    """The template with its fields (`.Name`) filled in; None where it says more than we know."""
    known = True

    def fill(action: re.Match[str]) -> str:
        nonlocal known
        text = _value(action.group(1), fields)
        known = known and text is not None
        return text or ""

    done = _ACTION.sub(fill, template)
    return done if known and "{{" not in done else None


def _value(text: str, fields: Mapping[str, str]) -> str | None:
    pipe = _PIPE.fullmatch(text)
    if pipe:
        value = fields.get(pipe.group(1))
        return _CASES[pipe.group(2)](value) if value and pipe.group(2) else value
    if text.startswith("FirstItem "):
        rest = text.removeprefix("FirstItem ")
        items = [
            re.sub(r"\s", "", fields.get(trimmed, "")) if trimmed else fields.get(name, literal)
            for trimmed, name, literal in _ITEM.findall(rest)
        ]
        if not _ITEM.sub("", rest).strip():
            return next((item for item in items if item), "")
    return None
