"""One profile of a config file, changed key by key: comments, order and every other byte stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from broker.config.document import parse
from broker.config.editing import last_line, scalar
from broker.errors import ConfigError

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SECTION = "profiles"


class ProfileEntry:
    """A profile's entry as it stands in a file.

    Args:
        content: The file.
        file: Its name, for messages.
        name: The profile's.

    Attributes:
        text: The entry as it is written, from its name to its last value.

    Raises:
        ConfigError: The file does not have it, or has it in a way that cannot be changed safely.
    """

    def __init__(self, content: bytes, file: str, name: str) -> None:
        self._file = file
        self._name = name
        self._data = parse(content, file).data
        self._mark = content[:3] if content.startswith(b"\xef\xbb\xbf") else b""
        self._text = content[len(self._mark) :].decode()
        self._lines = re.findall(r"[^\n]*\n|[^\n]+\Z", self._text)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        section = _value_of(yaml.compose(self._text, Loader=_LOADER), _SECTION)
        pairs = section.value if isinstance(section, yaml.MappingNode) else []
        found = [pair for pair in pairs if pair[0].value == name]
        if not found:
            raise ConfigError(
                f"profile `{name}` stands in another file, which this one extends",
                file=file,
                hint="change it there: `--config FILE` names that file",
            )
        if len(found) != 1 or not isinstance(found[0][1], yaml.MappingNode):
            raise self._error("is not written as an entry of its own")
        self._key, self._value = found[0]
        self._start, self._end = self._place(self._key.start_mark), self._end_of(self._value)
        self.text = self._text[self._start : self._end]

    def with_values(self, changes: Mapping[str, Any]) -> bytes:
        """The file with these keys of the entry set, and those of value None taken out.

        A new key stands behind `provider`.

        Raises:
            ConfigError: The result would say something else than that.
        """
        pairs = self._value.value
        there = {key.value: (key, value) for key, value in pairs}
        if "provider" not in there:
            raise self._error("takes its `provider` from elsewhere in the file")
        edits: list[tuple[int, int, str]] = []
        new = {k: v for k, v in changes.items() if v is not None and k not in there}
        for key, (key_node, value_node) in there.items():
            if key not in changes:
                continue
            if changes[key] is None:
                edits.append(self._removal(key_node, value_node))
            else:
                start = self._end_of(key_node)
                edits.append((start, self._end_of(value_node), f": {scalar(changes[key])}"))
        if new:
            edits.append(self._insertion(there["provider"][1], new))
        text = self._text
        for start, end, put in sorted(edits, reverse=True):
            text = text[:start] + put + text[end:]
        expected = {**self._data[_SECTION][self._name], **changes}
        return self._checked(text, {k: v for k, v in expected.items() if v is not None})

    def replaced(self, entry: str) -> bytes:
        """The file with another text in this entry's place.

        Raises:
            ConfigError: Something else than this entry would change.
        """
        text = self._text[: self._start] + entry + self._text[self._end :]
        return self._checked(text, None)

    def _removal(self, key: Any, value: Any) -> tuple[int, int, str]:
        """Where a key stands, with its comma or its lines."""
        pairs = self._value.value
        index = next(i for i, pair in enumerate(pairs) if pair[0] is key)
        if not self._value.flow_style:
            start = self._starts[key.start_mark.line]
            return start, self._starts[last_line(value) + 1], ""
        if index < next(i for i, pair in enumerate(pairs) if pair[0].value == "provider"):
            return self._place(key.start_mark), self._place(pairs[index + 1][0].start_mark), ""
        return self._end_of(pairs[index - 1][1]), self._end_of(value), ""

    def _insertion(self, provider: Any, new: Mapping[str, Any]) -> tuple[int, int, str]:
        """Where new keys go, and their text."""
        if self._value.flow_style:
            place = self._end_of(provider)
            return place, place, "".join(f", {k}: {scalar(v)}" for k, v in new.items())
        indent = " " * self._value.value[0][0].start_mark.column
        line = last_line(provider)
        ended = self._lines[line].endswith("\n")
        line_break = "\r\n" if self._lines[0].endswith("\r\n") else "\n"
        text = "".join(f"{indent}{k}: {scalar(v)}{line_break}" for k, v in new.items())
        place = self._starts[line + 1]
        return place, place, text if ended else line_break + text.removesuffix(line_break)

    def _checked(self, text: str, entry: Mapping[str, Any] | None) -> bytes:
        content = self._mark + text.encode()
        document = parse(content, self._file)
        after = document.data if isinstance(document.data, dict) else {}
        profiles = after.get(_SECTION) or {}
        others = {**after, _SECTION: {**profiles, self._name: None}}
        before = {**self._data, _SECTION: {**self._data[_SECTION], self._name: None}}
        is_right = entry is None or profiles.get(self._name) == entry
        if document.problems or others != before or not is_right:
            raise self._error("is written in a way that leaves no safe change")
        return content

    def _place(self, mark: Any) -> int:
        return int(self._starts[mark.line] + mark.column)

    def _end_of(self, node: Any) -> int:
        """Where the last value of a node ends; what stands behind it is not its own."""
        if isinstance(node, yaml.MappingNode | yaml.SequenceNode) and not node.flow_style:
            if not node.value:
                return self._place(node.start_mark)
            last = node.value[-1]
            return self._end_of(last[1] if isinstance(last, tuple) else last)
        end = self._place(node.end_mark)
        return end if end == 0 or self._text[end - 1] != "\n" else end - 1

    def _error(self, problem: str) -> ConfigError:
        return ConfigError(
            f"profile `{self._name}` {problem}",
            file=self._file,
            hint="change it by hand, one key a line",
        )


def _value_of(root: Any, name: str) -> Any:
    if not isinstance(root, yaml.MappingNode):
        return None
    return next((value for key, value in root.value if key.value == name), None)
