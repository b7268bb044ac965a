"""A config file taken apart for a change: entries go into a section, every other byte stays.

Owns where an entry may stand, how it is written, and that the changed file says what the old one
said beside the entries. What the entries mean is the caller's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import yaml

from broker.config.document import Document, parse
from broker.errors import ConfigError

Entry = tuple[str, Mapping[str, Any]]
"""A name and what stands under it."""

MAX_COLUMN = 100
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_PLAIN = re.compile(r"[A-Za-z_/][\w.+@/-]*|https://[\w.+@/%~-]+|\d+[hms]", re.ASCII)
_OTHER_KINDS = re.compile(r"true|false|yes|no|on|off|y|n|null", re.IGNORECASE)
"""Words that YAML 1.1 does not read as text."""
_END_OF_BLOCK = "# <<< awslogin "
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Page:
    """The file, its changes collected until `content` applies them.

    Attributes:
        file: Its name, for messages.
        document: All that it says, with its places.
        lines: Its text, a line each, with their ends.
        line_break: How its lines end.
    """

    def __init__(self, content: bytes, file: str) -> None:
        self.file = file
        self.document = parse(content, file)
        if not isinstance(self.document.data, dict):
            raise ConfigError("a config is a mapping that begins `version: 1`", file=file, line=1)
        self._mark = content[:3] if content.startswith(b"\xef\xbb\xbf") else b""
        text = content[len(self._mark) :].decode()
        self.lines: list[str] = _LINE.findall(text)
        self.line_break = "\r\n" if "\r\n" in text else "\n"
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line))
        self._changes: list[tuple[int, int, str]] = []
        self._new_sections: list[str] = []

    @property
    def data(self) -> dict[str, Any]:
        """All that the file says."""
        data: dict[str, Any] = self.document.data
        return data

    @cached_property
    def _root(self) -> yaml.MappingNode:
        root = yaml.compose("".join(self.lines), Loader=_LOADER)
        assert isinstance(root, yaml.MappingNode)
        return root

    def section(self, name: str) -> tuple[Any, Any]:
        """The nodes of a section's key and of its value; both None where it has none."""
        nothing: tuple[Any, Any] = (None, None)
        return next((pair for pair in self._root.value if pair[0].value == name), nothing)

    def indent(self, name: str) -> str:
        """What stands before the names of a section."""
        key, value = self.section(name)
        if key is None:
            return " " * (_first_column(self._root) + 2)
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            return " " * _first_column(value)
        return " " * (int(key.start_mark.column) + 2)

    def replace_lines(self, first: int, end: int, text: str) -> None:
        """Put other text in the place of the lines from `first` up to `end`."""
        self._changes.append((self._starts[first], self._starts[end], text))

    def add_lines(self, name: str, lines: Sequence[str]) -> None:
        """Put whole lines at the end of a section, that is made where it was missing.

        Raises:
            ConfigError: The section is written in a way that has no lines of its own.
        """
        if self._root.flow_style:
            raise self.error("the file is written in braces", 0, "write one key a line")
        key, value = self.section(name)
        text = "".join(lines)
        if key is None:
            head = f"{' ' * _first_column(self._root)}{name}:{self.line_break}"
            self._new_sections.append(head + text)
        elif isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            after = last_line(value) + 1
            if after < len(self.lines) and self.lines[after].lstrip().startswith(_END_OF_BLOCK):
                after += 1
            self._changes.append(self._insertion(after, text))
        elif not value.value and value.start_mark.line == value.end_mark.line == _line(key):
            self._empty_section(value)
            self._changes.append(self._insertion(_line(key) + 1, text))
        else:
            raise self.error(
                f"`{name}` is not written one entry a line",
                _line(key),
                "write each on a line of its own",
            )

    def add(self, name: str, entries: Iterable[Entry]) -> None:
        """Put entries at the end of a section, written as the section is written.

        Raises:
            ConfigError: The section is written in a way that leaves no place for them.
        """
        entries = list(entries)
        if not entries:
            return
        _, value = self.section(name)
        in_braces = isinstance(value, yaml.MappingNode) and value.flow_style
        if in_braces and (value.value or self._root.flow_style):
            behind = value.value[-1][1].end_mark if value.value else value.end_mark
            place = self._starts[behind.line] + int(behind.column) - (not value.value)
            text = ", ".join(in_one_line(*entry) for entry in entries)
            self._changes.append((place, place, f", {text}" if value.value else text))
            return
        indent = self.indent(name)
        lines = [line for entry in entries for line in as_lines(*entry, indent)]
        self.add_lines(name, [f"{line}{self.line_break}" for line in lines])

    def forget_changes(self) -> None:
        """Begin again with the file as it is."""
        self._changes.clear()
        self._new_sections.clear()

    def content(self) -> bytes:
        """The file with its changes."""
        text, done, parts = "".join(self.lines), 0, []
        changes = sorted(self._changes, key=lambda change: change[0])
        if self._new_sections:
            changes.append(self._insertion(self._end_of_document(), "".join(self._new_sections)))
        for start, end, new in changes:
            parts += [text[done:start], new]
            done = end
        return self._mark + "".join([*parts, text[done:]]).encode()

    def error(self, message: str, line: int, hint: str) -> ConfigError:
        """An error at a line of the file, counted from 0."""
        return ConfigError(message, file=self.file, line=line + 1, column=1, hint=hint)

    def _insertion(self, line: int, text: str) -> tuple[int, int, str]:
        before, place = self.lines[line - 1] if line else "\n", self._starts[line]
        is_first = not any(change[0] == place for change in self._changes)
        start = self.line_break if is_first and not before.endswith("\n") else ""
        return place, place, start + text

    def _empty_section(self, value: yaml.Node) -> None:
        """Take `{}` or `null` away behind a section's key."""
        line, start, end = value.start_mark.line, value.start_mark.column, value.end_mark.column
        if start != end:
            before = self.lines[line][:start].rstrip(" ")
            at = self._starts[line]
            self._changes.append((at + len(before), at + end, ""))

    def _end_of_document(self) -> int:
        ends = (n for n, line in enumerate(self.lines) if re.match(r"\.\.\.\s*$", line))
        return next(ends, len(self.lines))


def check_unchanged(
    page: Page,
    after: Document,
    new: Mapping[str, Iterable[str]],
    gone: Mapping[str, Iterable[str]] | None = None,
) -> None:
    """The changed file says what the old one said, beside the entries of the change.

    Args:
        page: The old file.
        after: The new one.
        new: Section → the names that the change puts there.
        gone: Section → the names that it takes away or writes anew.

    Raises:
        ConfigError: It does not: then nothing is written.
    """
    good = not after.problems and isinstance(after.data, dict)
    for section, names in new.items():
        there = (good and after.data.get(section)) or {}
        before = page.data.get(section) or {}
        own = {*names}
        good = good and own <= there.keys()
        good = good and _without(there, own) == _without(before, (gone or {}).get(section, ()))
    if not good or _without(after.data, new) != _without(page.data, new):
        raise ConfigError(
            "this YAML is written in a way that leaves no safe place for the new entries",
            file=page.file,
            hint="give `providers` and `profiles` one line for each entry",
        )


def _without(data: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    left_out = {*names}
    return {key: value for key, value in data.items() if key not in left_out}


def scalar(value: Any) -> str:
    """A value of one line as YAML reads it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(k)}: {scalar(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(scalar, value)) + "]"
    text = str(value)
    if _PLAIN.fullmatch(text) and not _OTHER_KINDS.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in quoted)


def in_one_line(name: str, values: Mapping[str, Any]) -> str:
    """`name: {key: value, …}`."""
    return f"{scalar(name)}: {scalar(values)}"


def as_lines(name: str, values: Mapping[str, Any], indent: str) -> list[str]:
    """An entry in one line, or a key a line where that would be too long; without line ends."""
    line = f"{indent}{in_one_line(name, values)}"
    if len(line) <= MAX_COLUMN:
        return [line]
    return [
        f"{indent}{scalar(name)}:",
        *(f"{indent}  {scalar(key)}: {scalar(value)}" for key, value in values.items()),
    ]


def last_line(node: Any) -> int:
    """The last line that a node reaches into; comments below it are not its own."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return max(max(last_line(key), last_line(value)) for key, value in node.value[-1:])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return last_line(node.value[-1])
    line, column = node.end_mark.line, node.end_mark.column
    is_block = isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}
    return int(line) - 1 if is_block and column == 0 else int(line)


def _first_column(mapping: yaml.MappingNode) -> int:
    return int(mapping.value[0][0].start_mark.column) if mapping.value else 0


def _line(node: Any) -> int:
    return int(node.start_mark.line)
