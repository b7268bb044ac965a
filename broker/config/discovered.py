"""The profiles that `discover --write` keeps in the YAML: one marked block for each provider.

Owns the block, the names in it, and that every other byte of the file stays. An entry is its
account and role: whatever the account is called later, the entry keeps the name it got first, and
what a person has added to it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from broker.config.document import parse
from broker.config.values import NAME
from broker.errors import ConfigError, UsageError
from broker.provider import Account

TEMPLATE = "{account_name}-{role}"
FIELDS = ("account_name", "account_id", "role")

_ROLE = re.compile(r"[\w+=,.@/-]+", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z][\w.+@/-]*", re.ASCII)
_LINE = re.compile(
    r"[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029])|[^\r\n\x85\u2028\u2029]+\Z"
)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Target = tuple[str, str]
"""Account id and role."""


@dataclass(frozen=True)
class Edited:
    """The file with its block brought up to date.

    Attributes:
        content: All of it.
        names: The profiles in the block.
    """

    content: bytes
    names: list[str]


def edited(
    content: bytes,
    file: str,
    provider: str,
    accounts: Sequence[Account],
    *,
    taken: Collection[str] = (),
    template: str | None = None,
    prune: bool = False,
) -> Edited:
    """Bring the provider's block up to date.

    Args:
        content: The file.
        file: Its name, for messages.
        provider: Whose accounts these are.
        accounts: What the sign-in reaches.
        taken: Names that profiles of other files have.
        template: How new entries are named; another one than before names all of them anew.
        prune: Take out entries whose role is not reached any more.

    Raises:
        UsageError: The template is wrong.
        ConfigError: The file is written in a way that leaves no place for the block.
    """
    page = _Page(content, file, provider)
    old_template = page.template or TEMPLATE
    renamed = template is not None and template != old_template
    template = check_template(template or old_template)
    wanted = {(a.account_id, role): a for a in accounts for role in a.roles if _is_valid(a, role)}
    kept = [entry for entry in page.entries if entry.target in wanted or not prune]
    others = page.names_outside | (set(taken) - {entry.name for entry in page.entries})
    if renamed:
        named = {entry.target for entry in kept if entry.target in wanted}
        fresh = named | (wanted.keys() - {entry.target for entry in kept})
    else:
        fresh = wanted.keys() - {entry.target for entry in kept}
    fresh -= page.written_by_hand(wanted, template)
    fixed = {entry.name for entry in kept if entry.target not in fresh}
    names = _names(sorted(fresh), wanted, template, others | fixed)
    lines = [
        entry.renamed(names[entry.target]) if entry.target in names else entry.text
        for entry in kept
    ]
    known = {entry.target for entry in kept}
    lines += sorted(
        page.line(name, target) for target, name in names.items() if target not in known
    )
    in_block = [names.get(entry.target, entry.name) for entry in kept]
    in_block += [name for target, name in names.items() if target not in known]
    after = page.with_block(lines, template)
    _verify(page, after, set(in_block))
    return Edited(after, in_block)


def check_template(template: str) -> str:
    """The template itself.

    Raises:
        UsageError: It names no field, or one that there is not.
    """
    found = re.findall(r"\{([^{}]*)\}", template)
    unknown = [field for field in found if field not in FIELDS]
    rest = re.sub(r"\{\w+\}", "", template)
    if unknown or not found or not re.fullmatch(r"[A-Za-z0-9._@+-]*", rest, re.ASCII):
        raise UsageError(
            f"--template {template!r} is no template of profile names",
            hint="it takes {account_name}, {account_id}, {role}, letters, digits and ._@+-",
        )
    return template


def _is_valid(account: Account, role: str) -> bool:
    """Whether the config could hold it: what comes from outside never becomes YAML of its own."""
    return bool(re.fullmatch(r"\d{12}", account.account_id, re.ASCII) and _ROLE.fullmatch(role))


def _names(
    fresh: list[Target], accounts: dict[Target, Account], template: str, taken: set[str]
) -> dict[Target, str]:
    """A name for each new entry; what is taken or not alone is told apart by the account's id."""
    plain = {target: _name(target, accounts[target], template) for target in fresh}
    count = Counter(plain.values())
    names: dict[Target, str] = {}
    used = set(taken)
    for target in fresh:
        account_id, role = target
        name = plain[target]
        longer = [f"{name}-{account_id}", f"{name}-{account_id}-{_word(role)}"]
        longer += [f"{name}-{account_id}-{number}" for number in range(2, len(fresh) + 3)]
        choices = longer if count[name] > 1 else [name, *longer]
        names[target] = next(choice for choice in choices if choice not in used)
        used.add(names[target])
    return names


def _name(target: Target, account: Account, template: str) -> str:
    account_id, role = target
    words = {
        "account_name": _word(account.account_name or "") or account_id,
        "account_id": account_id,
        "role": _word(role),
    }
    name = re.sub(r"\{(\w+)\}", lambda field: words[field.group(1)], template)
    return re.sub(r"^[^A-Za-z0-9]+", "", name) or account_id


def _word(text: str) -> str:
    """As much of a text as a profile's name can hold."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._@+-]+", "-", letters).strip("-")


@dataclass(frozen=True)
class _Entry:
    """One profile of the block: its lines as they stand in the file."""

    name: str
    target: Target
    text: str

    def renamed(self, name: str) -> str:
        """The same lines under another name."""
        head = re.match(r"(\s*)(\"[^\"]*\"|'[^']*'|[^:\s]+)", self.text)
        assert head
        return f"{head.group(1)}{_scalar(name)}{self.text[head.end() :]}"


class _Page:
    """The file, taken apart: the block, the entries in it, and the place where a new one goes."""

    def __init__(self, content: bytes, file: str, provider: str) -> None:
        self.file = file
        self.provider = provider
        self._mark = content[:3] if content.startswith(b"\xef\xbb\xbf") else b""
        text = content[len(self._mark) :].decode()
        self.lines = _LINE.findall(text)
        self.data = parse(content, file).data
        self._end = "\r\n" if "\r\n" in text else "\n"
        self._root = yaml.compose(text, Loader=_LOADER)
        self.template: str | None = None
        self._block = self._find_block()
        self._pairs = self._profile_nodes()
        self.entries = list(self._entries())

    @property
    def profiles(self) -> dict[str, Any]:
        """All profiles of the file."""
        return self.data.get("profiles") or {}

    @property
    def names_outside(self) -> set[str]:
        """The profiles that are not in the block."""
        return self.profiles.keys() - {entry.name for entry in self.entries}

    def written_by_hand(self, wanted: dict[Target, Account], template: str) -> set[Target]:
        """What a profile outside of the block reaches already, under the very name."""
        outside = self.names_outside
        found = set()
        for target, account in wanted.items():
            name = _name(target, account, template)
            if name in outside and self._target(self.profiles[name]) == target:
                found.add(target)
        return found

    def line(self, name: str, target: Target) -> str:
        """A new entry."""
        account, role = target
        values = f"provider: {_scalar(self.provider)}, account: {json.dumps(account)}"
        return f"{self._indent}{_scalar(name)}: {{{values}, role: {_scalar(role)}}}{self._end}"

    def with_block(self, entries: list[str], template: str) -> bytes:
        """The file with these entries in its block; without entries, without a block."""
        block = [
            f"{self._indent}# >>> awslogin discover {self.provider} >>> {template}",
            f"{self._indent}# Written by `awslogin discover {self.provider} --write`, which adds"
            " what is new.",
            f"{self._indent}# What you add to an entry stays; entries go with --prune alone.",
        ]
        end = f"{self._indent}# <<< awslogin discover {self.provider} <<<"
        new = [f"{line}{self._end}" for line in block] + entries + [f"{end}{self._end}"]
        if not entries:
            new = []
        lines = list(self.lines)
        if self._block:
            first, last = self._block
            lines[first : last + 1] = new
        elif new:
            place = self._place(lines)
            if place and not re.search(r"[\r\n\x85\u2028\u2029]\Z", lines[place - 1]):
                lines[place - 1] += self._end
            lines[place:place] = new
        return self._mark + "".join(lines).encode()

    def _find_block(self) -> tuple[int, int] | None:
        """The first and the last line of the block."""
        name = re.escape(self.provider)
        begins, ends = [], []
        for number, line in enumerate(self.lines):
            begin = re.match(rf"\s*# >>> awslogin discover {name} >>>\s*(\S*)", line)
            if begin:
                begins.append(number)
                self.template = begin.group(1) or None
            elif re.match(rf"\s*# <<< awslogin discover {name} <<<", line):
                ends.append(number)
        if not begins and not ends:
            return None
        if len(begins) != 1 or len(ends) != 1 or ends < begins:
            raise self._error(
                f"the block of `awslogin discover {self.provider}` is damaged",
                (begins or ends)[0],
                "it has one first line `# >>> …` and one last line `# <<< …`",
            )
        return begins[0], ends[0]

    def _profile_nodes(self) -> list[tuple[Any, Any]]:
        for key, value in self._root.value:
            if key.value == "profiles":
                self._key, self._value = key, value
                break
        else:
            self._key = self._value = None
            self._indent = f"{self._root_indent}  "
            return []
        if not isinstance(self._value, yaml.MappingNode) or not self._value.value:
            self._indent = " " * (self._key.start_mark.column + 2)
            return []
        self._indent = " " * self._value.value[0][0].start_mark.column
        return list(self._value.value)

    @property
    def _root_indent(self) -> str:
        return " " * (self._root.value[0][0].start_mark.column if self._root.value else 0)

    def _entries(self) -> Iterator[_Entry]:
        if not self._block:
            return
        first, last = self._block
        starts = [
            (key.start_mark.line, key.value)
            for key, _ in self._pairs
            if first < key.start_mark.line < last
        ]
        if not starts and self.profiles and self._value.flow_style:
            return
        for (start, name), (end, _) in zip(starts, [*starts[1:], (last, "")], strict=True):
            text = "".join(self.lines[start:end])
            yield _Entry(name, self._target(self.profiles[name]) or ("", name), text)

    def _target(self, profile: Any) -> Target | None:
        """What a profile of this provider reaches."""
        if not isinstance(profile, dict) or profile.get("provider") != self.provider:
            return None
        return str(profile.get("account")), str(profile.get("role"))

    def _place(self, lines: list[str]) -> int:
        """The index of the line before which a first block goes; makes room where it must."""
        if self._root.flow_style:
            raise self._error("the file is written in braces", 0, "write one key a line")
        if self._key is None:
            if lines and not re.search(r"[\r\n\x85\u2028\u2029]\Z", lines[-1]):
                lines[-1] += self._end
            lines.append(f"{self._root_indent}profiles:{self._end}")
            return len(lines)
        line = self._key.start_mark.line
        if isinstance(self._value, yaml.ScalarNode) and not self._value.value:
            return int(line) + 1
        if isinstance(self._value, yaml.MappingNode) and not self._value.value:
            start, end = self._value.start_mark, self._value.end_mark
            if start.line == end.line == line:
                text = lines[line]
                lines[line] = text[: start.column].rstrip() + text[end.column :]
                return int(line) + 1
        if not isinstance(self._value, yaml.MappingNode) or self._value.flow_style:
            raise self._error(
                "`profiles` is written in braces", line, "write one profile a line below it"
            )
        return max(_last_line(key, value) for key, value in self._pairs) + 1

    def _error(self, message: str, line: int, hint: str) -> ConfigError:
        return ConfigError(message, file=self.file, line=line + 1, column=1, hint=hint)


def _last_line(*nodes: Any) -> int:
    """The last line that these nodes reach into; comments below them are not theirs."""
    last = 0
    for node in nodes:
        end = node.end_mark
        if isinstance(node, yaml.ScalarNode):
            block = node.style in {"|", ">"} and end.column == 0
            last = max(last, end.line - 1 if block else end.line)
        elif node.flow_style or not node.value:
            last = max(last, end.line)
        elif isinstance(node, yaml.MappingNode):
            last = max(last, *(_last_line(*pair) for pair in node.value))
        else:
            last = max(last, _last_line(*node.value))
    return last


def _scalar(text: str) -> str:
    """Text as YAML reads it back as text."""
    is_plain = _PLAIN.fullmatch(text) and isinstance(yaml.safe_load(text), str)
    return text if is_plain else json.dumps(text)


def _verify(page: _Page, after: bytes, in_block: set[str]) -> None:
    """The new file holds the old one's values and the block's: else nothing is written.

    Raises:
        ConfigError: It does not.
    """
    data = parse(after, page.file)
    profiles = data.data.get("profiles") or {}
    outside = {name: value for name, value in profiles.items() if name not in in_block}
    before = {name: page.profiles[name] for name in page.names_outside}
    rest = {key: value for key, value in data.data.items() if key != "profiles"}
    rest_before = {key: value for key, value in page.data.items() if key != "profiles"}
    good = (
        not data.problems
        and outside == before
        and rest == rest_before
        and in_block <= profiles.keys()
        and all(re.fullmatch(NAME, name, re.ASCII) for name in in_block)
    )
    if not good:
        raise ConfigError(
            "this YAML is written in a way that leaves no safe place for the profiles",
            file=page.file,
            hint="give `profiles` one line for each profile",
        )
