"""A tool's YAML in which every scalar is text: account ids keep their digits, nothing is built.

Owns the bounds on hostile files. A value with a tag of the tool's own (`!env`) is a `Tagged`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from broker.importing.reading import wrong

MAX_NODES = 300_000
MAX_DEPTH = 40
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Tagged(str):
    """The tag of a value that the tool computes when it runs."""

    __slots__ = ()


def parse(text: str, path: Path) -> Any:
    """Mappings, lists and text; None where a document or a value is empty.

    Raises:
        UsageError: It is not one YAML document of plain data.
    """
    try:
        node = yaml.compose(text, Loader=_LOADER)
        return None if node is None else _Walk(path).value(node, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise wrong(path, mark.line + 1 if mark else None, "is broken YAML") from None
    except (yaml.YAMLError, RecursionError):
        raise wrong(path, None, "is broken YAML") from None


class _Walk:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._nodes = 0

    def value(self, node: yaml.Node, depth: int) -> Any:
        self._nodes += 1
        line = node.start_mark.line + 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise wrong(self._path, line, "is nested too deeply or unfolds without end")
        if node.tag.startswith("!"):
            return Tagged(node.tag)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        return None if node.tag.endswith(":null") else node.value

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise wrong(self._path, line, "has a key that is not plain text")
            if key.tag.endswith(":merge"):
                bases = self.value(value, depth + 1)
                for base in bases if isinstance(bases, list) else [bases]:
                    merged = (base if isinstance(base, dict) else {}) | merged
            elif key.value in own:
                raise wrong(self._path, line, f"has the key `{key.value}` twice")
            else:
                own[key.value] = self.value(value, depth + 1)
        return merged | own


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def plain(value: Any) -> str | None:
    """The value where it is text that is written there, else None."""
    return value if isinstance(value, str) and not isinstance(value, Tagged) else None
