"""The profiles that `discover --write` keeps in the YAML: one marked block for each provider.

Owns the block, and that every other byte of the file stays. An entry keeps the name it got first,
whatever its account is called later, and what a person has added to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from broker.config import naming
from broker.config.document import parse
from broker.config.naming import TEMPLATE, Target
from broker.config.values import NAME
from broker.errors import ConfigError
from broker.provider import Account

_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_ROLE = re.compile(r"[\w+=,.@/-]+", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z][\w.+@/-]*", re.ASCII)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ELSEWHERE: Target = ("", "")
"""Not reached through this provider."""


@dataclass(frozen=True)
class Entry:
    """One profile of the block.

    Attributes:
        target: What it reaches; `ELSEWHERE` where a person has changed that.
        text: Its lines as they stand in the file.
    """

    name: str
    target: Target
    text: str


def updated(
    content: bytes,
    file: str,
    provider: str,
    accounts: Sequence[Account],
    *,
    taken: Collection[str] = (),
    template: str | None = None,
    prune: bool = False,
) -> bytes:
    """The file with the provider's block brought up to date.

    Args:
        content: The file.
        file: Its name, for messages.
        provider: Whose accounts these are.
        accounts: What the sign-in reaches.
        taken: Names that profiles have, here and in other files.
        template: How new entries are named; another one than before names all of them anew.
        prune: Take out entries whose role is not reached any more.

    Raises:
        UsageError: The template is wrong.
        ConfigError: The file is written in a way that leaves no place for the block.
    """
    page = _Page(content, file, provider)
    before = page.template or TEMPLATE
    template = naming.check_template(template or before)
    reached = {(a.account_id, role): a for a in accounts for role in a.roles if _is_valid(a, role)}
    kept = [entry for entry in page.entries if entry.target in reached or not prune]
    stay = {e.target for e in kept if template == before or e.target not in reached}
    others = {*taken, *page.profiles} - {entry.name for entry in page.entries}
    named = naming.names(
        {
            target: account
            for target, account in reached.items()
            if target not in stay
            and page.by_hand.get(naming.name(target, account, template)) != target
        },
        template,
        others | {entry.name for entry in kept if entry.target in stay},
    )
    entries = [
        entry if entry.target in stay else _renamed(entry, named[entry.target])
        for entry in kept
        if entry.target in stay or entry.target in named
    ]
    there = {entry.target for entry in entries}
    new = [page.entry(name, target) for target, name in named.items() if target not in there]
    entries += sorted(new, key=lambda entry: entry.name)
    after = page.with_block([entry.text for entry in entries], template)
    _verify(page, after, {entry.name for entry in entries})
    return after


def _is_valid(account: Account, role: str) -> bool:
    """Whether the config can hold it: what comes from outside never becomes YAML of its own."""
    return bool(re.fullmatch(r"\d{12}", account.account_id, re.ASCII) and _ROLE.fullmatch(role))


def _renamed(entry: Entry, name: str) -> Entry:
    """The same lines under another name."""
    head = re.match(r"(\s*)(?:\"[^\"]*\"|'[^']*'|[^:\s]+)", entry.text)
    assert head
    text = f"{head.group(1)}{_scalar(name)}{entry.text[head.end() :]}"
    return Entry(name, entry.target, text)


class _Page:
    """The file, taken apart.

    Attributes:
        profiles: All that it has, as data.
        entries: Those of the block, in its order.
        template: By which the block was named last, or None.
    """

    def __init__(self, content: bytes, file: str, provider: str) -> None:
        self.file = file
        self.data: dict[str, Any] = parse(content, file).data
        self.profiles: dict[str, Any] = self.data.get("profiles") or {}
        self._provider = provider
        self._mark = content[:3] if content.startswith(b"\xef\xbb\xbf") else b""
        text = content[len(self._mark) :].decode()
        self._lines: list[str] = _LINE.findall(text)
        self._break = "\r\n" if "\r\n" in text else "\n"
        root = yaml.compose(text, Loader=_LOADER)
        assert isinstance(root, yaml.MappingNode)
        self._root = root
        nothing: tuple[Any, Any] = (None, None)
        self._key, self._value = next(
            (pair for pair in root.value if pair[0].value == "profiles"), nothing
        )
        self._indent = " " * self._column()
        self.template: str | None = None
        self._block = self._find_block()
        self.entries = self._find_entries()

    @property
    def by_hand(self) -> dict[str, Target]:
        """What each profile outside of the block reaches through this provider."""
        inside = {entry.name for entry in self.entries}
        return {n: self._target(v) for n, v in self.profiles.items() if n not in inside}

    def entry(self, name: str, target: Target) -> Entry:
        """A new entry."""
        account, role = target
        values = f"provider: {_scalar(self._provider)}, account: {json.dumps(account)}"
        text = f"{_scalar(name)}: {{{values}, role: {_scalar(role)}}}"
        return Entry(name, target, f"{self._indent}{text}{self._break}")

    def with_block(self, entries: list[str], template: str) -> bytes:
        """The file with these entries in its block; without entries, without a block."""
        command = f"awslogin discover {self._provider}"
        head = [
            f"# >>> {command} >>> {template}",
            f"# Written by `{command} --write`, which adds what is new. What you add to an",
            "# entry stays; with --prune entries go whose role is no longer assigned.",
        ]
        block = [f"{self._indent}{line}{self._break}" for line in head]
        block += [*entries, f"{self._indent}# <<< {command} <<<{self._break}"]
        lines = list(self._lines)
        if self._block:
            first, last = self._block
            lines[first : last + 1] = block if entries else []
        elif entries:
            place = self._make_place(lines)
            lines[place:place] = block
        return self._mark + "".join(lines).encode()

    def _column(self) -> int:
        """Where the profiles' names begin."""
        if self._key is None:
            return self._first_column(self._root) + 2
        if isinstance(self._value, yaml.MappingNode) and self._value.value:
            return self._first_column(self._value)
        return int(self._key.start_mark.column) + 2

    @staticmethod
    def _first_column(mapping: yaml.MappingNode) -> int:
        return int(mapping.value[0][0].start_mark.column)

    def _find_block(self) -> tuple[int, int] | None:
        """The first and the last line of the block."""
        name = re.escape(self._provider)
        begins, ends = [], []
        for number, line in enumerate(self._lines):
            begin = re.match(rf"\s*# >>> awslogin discover {name} >>> *(\S*)", line)
            if begin:
                begins.append(number)
                self.template = begin.group(1) or None
            elif re.match(rf"\s*# <<< awslogin discover {name} <<<", line):
                ends.append(number)
        if not begins and not ends:
            return None
        if len(begins) != 1 or len(ends) != 1 or ends < begins:
            raise self._error(
                f"the block of `awslogin discover {self._provider}` is damaged",
                (begins or ends)[0],
                "it has one first line `# >>> …` and one last line `# <<< …`",
            )
        return begins[0], ends[0]

    def _find_entries(self) -> list[Entry]:
        if not self._block or not self.profiles:
            return []
        first, last = self._block
        nodes = [key for key, _ in self._value.value if first < key.start_mark.line < last]
        starts = [key.start_mark.line for key in nodes]
        return [
            Entry(key.value, self._target(self.profiles[key.value]), "".join(self._lines[a:b]))
            for key, a, b in zip(nodes, starts, [*starts[1:], last], strict=False)
        ]

    def _target(self, profile: Any) -> Target:
        if not isinstance(profile, dict) or profile.get("provider") != self._provider:
            return ELSEWHERE
        return str(profile.get("account")), str(profile.get("role"))

    def _make_place(self, lines: list[str]) -> int:
        """The line before which a first block goes, where needed with `profiles:` above it."""
        if self._root.flow_style:
            raise self._error("the file is written in braces", 0, "write one key a line")
        place = self._place(lines)
        if place and not lines[place - 1].endswith("\n"):
            lines[place - 1] += self._break
        if self._key is None:
            lines.append(f"{' ' * self._first_column(self._root)}profiles:{self._break}")
            place += 1
        return place

    def _place(self, lines: list[str]) -> int:
        if self._key is None:
            return len(lines)
        line = int(self._key.start_mark.line)
        if self._value.value and isinstance(self._value, yaml.MappingNode):
            if not self._value.flow_style:
                after = _last_line(self._value) + 1
                ends = "# <<< awslogin discover "  # of another provider's block
                return after + (after < len(lines) and lines[after].lstrip().startswith(ends))
        elif not self._value.value:
            start, end = self._value.start_mark, self._value.end_mark
            if start.line == end.line == line:  # nothing, or `{}` on the key's own line
                lines[line] = lines[line][: start.column].rstrip(" ") + lines[line][end.column :]
                return line + 1
        raise self._error(
            "`profiles` is not written one profile a line", line, "write each on a line of its own"
        )

    def _error(self, message: str, line: int, hint: str) -> ConfigError:
        return ConfigError(message, file=self.file, line=line + 1, column=1, hint=hint)


def _last_line(node: Any) -> int:
    """The last line that a node reaches into; comments below it are not its own."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return max(max(_last_line(key), _last_line(value)) for key, value in node.value)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return max(map(_last_line, node.value))
    line, column = node.end_mark.line, node.end_mark.column
    is_block = isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}
    return int(line) - 1 if is_block and column == 0 else int(line)


def _scalar(text: str) -> str:
    """Text as YAML reads it back as text."""
    is_plain = _PLAIN.fullmatch(text) and isinstance(yaml.safe_load(text), str)
    return text if is_plain else json.dumps(text)


def _verify(page: _Page, after: bytes, inside: set[str]) -> None:
    """The new file holds what the old one did, and the block's profiles.

    Raises:
        ConfigError: It does not: then nothing is written.
    """
    document = parse(after, page.file)
    there = document.data.get("profiles") or {}
    others = {name: value for name, value in there.items() if name not in inside}
    good = (
        not document.problems
        and inside <= there.keys()
        and all(re.fullmatch(NAME, name) for name in inside)
        and others == {name: page.profiles[name] for name in page.by_hand}
        and {**document.data, "profiles": 0} == {**page.data, "profiles": 0}
    )
    if not good:
        raise ConfigError(
            "this YAML is written in a way that leaves no safe place for the profiles",
            file=page.file,
            hint="give `profiles` one line for each profile",
        )
