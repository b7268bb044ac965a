"""A YAML file as plain data that knows where each value stands. Owns YAML, not what it means.

Plain values alone. Explicit tags, duplicate keys, deep nesting, too large files and values, and
aliases that unfold without end are errors; the work is linear in the file's size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from broker.config.origin import Origin
from broker.errors import ConfigError

MAX_BYTES = 4 * 1024 * 1024
MAX_NODES = 300_000
MAX_DEPTH = 40
MAX_LETTERS = 20_000
"""Of one key or value; AWS takes policies of 2,048."""

_OVERWRITES = re.compile(r"\r(?!\n)|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\x85]")

_NULLS = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}
_FALSE = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_OTHER_NUMBER = re.compile(
    r"[-+]?(?:[0-9][0-9_]*|0b[01_]+|0x[0-9a-fA-F_]+|[0-9_]+(?::[0-5]?[0-9])+)"
)
"""YAML 1.1, "Integer Language-Independent Type": octal, binary, hexadecimal, sexagesimal."""

_PLAIN, _QUOTED, _COLLECTION = "plain", "quoted", "collection"
"""What stands where PyYAML has the tag that it thinks a node should have."""

Path = tuple[str | int, ...]


class OtherNumber(str):
    """Text of which YAML makes a number that is written otherwise, such as 0123 or 0x1f."""

    __slots__ = ()


_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # it may not have been built


class _Loader(_Safe):  # type: ignore[misc]
    """Composes nodes that keep their text; a node's tag tells how it is written, or is its own."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self._file = file
        self._nodes = 0

    def resolve(self, kind: type[yaml.Node], _value: Any, implicit: Any) -> str:
        """PyYAML asks for the tag of each node that has none."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ConfigError(f"more than {MAX_NODES} keys and values", file=self._file)
        if kind is not yaml.ScalarNode:
            return _COLLECTION
        return _PLAIN if implicit[0] else _QUOTED


@dataclass(frozen=True)
class Document:
    """Parsed YAML.

    Attributes:
        file: The file's name, for messages.
        data: dicts, lists and scalars.
        places: Path of keys and indexes → where the value's key or item stands.
        raw: Path of a scalar → its text as it stands in the file.
        problems: Duplicate keys and the like; empty in a good file.
    """

    file: str
    data: Any
    places: dict[Path, Origin] = field(default_factory=dict)
    raw: dict[Path, str] = field(default_factory=dict)
    problems: list[ConfigError] = field(default_factory=list)

    def origin(self, path: Path) -> Origin:
        """Where a value stands, or the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path) or Origin(self.file, 1, 1)

    def error(
        self, path: Path, message: str, *, hint: str = "", profile: str | None = None
    ) -> ConfigError:
        """An error at a value."""
        file, line, column = self.origin(path)
        return ConfigError(message, file=file, line=line, column=column, hint=hint, profile=profile)


def parse(content: bytes, file: str) -> Document:
    """Parse a file's content.

    Raises:
        ConfigError: It is not one YAML document of plain data.
    """
    if len(content) > MAX_BYTES:
        raise ConfigError(f"larger than {MAX_BYTES} bytes", file=file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError("not UTF-8 text", file=file, line=line) from None
    hidden = _OVERWRITES.search(text)
    if hidden:
        line = text.count("\n", 0, hidden.start()) + 1
        raise ConfigError(
            "a lone carriage return or a character that changes the writing direction",
            file=file,
            line=line,
            hint="remove it: it makes the file read otherwise than it is",
        )
    loader = _Loader(text, file)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ConfigError("the file is empty", file=file, line=1, column=1)
        return _Walk(file).document(node)
    except yaml.MarkedYAMLError as error:
        raise _broken(error, text, file) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"broken YAML: {type(error).__name__}", file=file) from None
    finally:
        loader.dispose()


def _broken(error: yaml.MarkedYAMLError, text: str, file: str) -> ConfigError:
    """What libyaml says, in words of ours for what people do most."""
    mark = error.problem_mark or error.context_mark
    lines = text.split("\n")
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    message = f"broken YAML: {error.problem or error.context}"
    hint = ""
    unmarked = re.match(r"[\s-]*([\w.@+-]+)\s*[{\[]", line)
    if "\t" in line[: len(line) - len(line.lstrip())]:
        message, hint = "broken YAML: a tab", "indent by spaces alone"
    elif unmarked:
        message = f"broken YAML: a colon is missing after `{unmarked[1]}`"
    return ConfigError(
        message,
        file=file,
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
        hint=hint,
    )


class _Walk:
    """Turns nodes into data."""

    def __init__(self, file: str) -> None:
        self._nodes = 0
        self._found = Document(file, None)

    def document(self, node: yaml.Node) -> Document:
        found = self._found
        data = self._value(node, (), 0)
        return Document(found.file, data, found.places, found.raw, found.problems)

    def _value(self, node: yaml.Node, path: Path, depth: int) -> Any:
        self._nodes += 1
        if path not in self._found.places:  # a key's own place is nearer
            self._found.places[path] = self._origin(node)
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            raise self._error(node, "nested too deeply or unfolds without end")
        if node.tag not in {_PLAIN, _QUOTED, _COLLECTION}:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")[:60]
            raise self._error(
                node,
                f"`{tag}` makes a value that plain YAML does not know",
                hint="write the value itself",
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [
                self._value(item, (*path, index), depth + 1)
                for index, item in enumerate(node.value)
            ]
        self._check_length(node)
        self._found.raw[path] = node.value
        return _plain(node.value) if node.tag == _PLAIN else node.value

    def _mapping(self, node: yaml.MappingNode, path: Path, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _PLAIN and key_node.value == "<<":
                merged = self._merged(value_node, path, depth) | merged
                continue
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in {_PLAIN, _QUOTED}:
                raise self._error(key_node, "a key must be plain text")
            self._check_length(key_node)
            key = key_node.value
            if key in own:
                self._found.problems.append(self._error(key_node, f"`{key}` stands here twice"))
                continue
            self._found.places[(*path, key)] = self._origin(key_node)
            own[key] = self._value(value_node, (*path, key), depth + 1)
        return merged | own

    def _merged(self, node: yaml.Node, path: Path, depth: int) -> dict[str, Any]:
        """What `<<` brings in: one mapping, or several of which the first wins."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values: dict[str, Any] = {}
        for base in nodes:
            if not isinstance(base, yaml.MappingNode):
                raise self._error(base, "`<<` takes a mapping")
            values = self._value(base, path, depth + 1) | values
        return values

    def _check_length(self, node: yaml.Node) -> None:
        if len(node.value) > MAX_LETTERS:
            raise self._error(node, f"longer than {MAX_LETTERS} letters")

    def _error(self, node: yaml.Node, message: str, *, hint: str = "") -> ConfigError:
        file, line, column = self._origin(node)
        return ConfigError(message, file=file, line=line, column=column, hint=hint)

    def _origin(self, node: yaml.Node) -> Origin:
        return Origin(self._found.file, node.start_mark.line + 1, node.start_mark.column + 1)


def _plain(text: str) -> Any:
    """What text without quotes stands for: nothing, a boolean, a whole number, or itself."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _WHOLE.fullmatch(text):
        return int(text)
    return OtherNumber(text) if _OTHER_NUMBER.fullmatch(text) else text
