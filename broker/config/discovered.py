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

from broker.config import naming
from broker.config.document import parse
from broker.config.editing import Page, check_unchanged, scalar
from broker.config.naming import TEMPLATE, Target
from broker.provider import Account

_ROLE = re.compile(r"[\w+=,.@/-]+", re.ASCII)
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
    page = _Block(content, file, provider)
    by_hand = page.by_hand()
    before = page.template or TEMPLATE
    template = naming.check_template(template or before)
    reached = {(a.account_id, role): a for a in accounts for role in a.roles if _is_valid(a, role)}
    remaining = [entry for entry in page.entries if entry.target in reached or not prune]
    unchanged = {e.target for e in remaining if template == before or e.target not in reached}
    others = {*taken, *page.profiles} - {entry.name for entry in page.entries}
    named = naming.names(
        {
            target: account
            for target, account in reached.items()
            if target not in unchanged
            and by_hand.get(naming.name(target, account, template)) != target
        },
        template,
        others | {entry.name for entry in remaining if entry.target in unchanged},
    )
    entries = [
        entry if entry.target in unchanged else _renamed(entry, named[entry.target])
        for entry in remaining
        if entry.target in unchanged or entry.target in named
    ]
    there = {entry.target for entry in entries}
    new = [page.entry(name, target) for target, name in named.items() if target not in there]
    entries += sorted(new, key=lambda entry: entry.name)
    return page.content(entries, template)


def _is_valid(account: Account, role: str) -> bool:
    """Whether the config can hold it: what comes from outside never becomes YAML of its own."""
    return bool(re.fullmatch(r"\d{12}", account.account_id, re.ASCII) and _ROLE.fullmatch(role))


def _renamed(entry: Entry, name: str) -> Entry:
    """The same lines under another name."""
    head = re.match(r"(\s*)(?:\"[^\"]*\"|'[^']*'|[^:\s]+)", entry.text)
    assert head
    text = f"{head.group(1)}{scalar(name)}{entry.text[head.end() :]}"
    return Entry(name, entry.target, text)


class _Block:
    """The block of one provider in the file.

    Attributes:
        page: The file.
        profiles: All that it has, as data.
        entries: Those of the block, in its order.
        template: By which the block was named last, or None.
    """

    def __init__(self, content: bytes, file: str, provider: str) -> None:
        self.page = Page(content, file)
        self.profiles: dict[str, Any] = self.page.data.get("profiles") or {}
        self._provider = provider
        self.template: str | None = None
        self._place = self._find()
        self.entries = self._find_entries()

    def by_hand(self) -> dict[str, Target]:
        """What each profile outside of the block reaches through this provider."""
        inside = {entry.name for entry in self.entries}
        return {n: self._target(v) for n, v in self.profiles.items() if n not in inside}

    def entry(self, name: str, target: Target) -> Entry:
        """A new entry."""
        account, role = target
        values = f"provider: {scalar(self._provider)}, account: {json.dumps(account)}"
        text = f"{scalar(name)}: {{{values}, role: {scalar(role)}}}"
        indent = self.page.indent("profiles")
        return Entry(name, target, f"{indent}{text}{self.page.line_break}")

    def content(self, entries: list[Entry], template: str) -> bytes:
        """The file with these entries in its block; without entries, without a block.

        Raises:
            ConfigError: It would say something else beside them.
        """
        command = f"awslogin discover {self._provider}"
        head = [
            f"# >>> {command} >>> {template}",
            f"# Written by `{command} --write`, which adds what is new. What you add to an",
            "# entry stays; with --prune entries go whose role is no longer assigned.",
        ]
        indent, end = self.page.indent("profiles"), self.page.line_break
        block = [f"{indent}{line}{end}" for line in head]
        block += [*(e.text for e in entries), f"{indent}# <<< {command} <<<{end}"]
        if self._place:
            first, last = self._place
            self.page.replace_lines(first, last + 1, "".join(block) if entries else "")
        elif entries:
            self.page.add_lines("profiles", block)
        after = self.page.content()
        new = {"profiles": [entry.name for entry in entries]}
        gone = {"profiles": [entry.name for entry in self.entries]}
        check_unchanged(self.page, parse(after, self.page.file), new, gone)
        return after

    def _find(self) -> tuple[int, int] | None:
        """The first and the last line of the block."""
        name = re.escape(self._provider)
        begins, ends = [], []
        for number, line in enumerate(self.page.lines):
            begin = re.match(rf"\s*# >>> awslogin discover {name} >>> *(\S*)", line)
            if begin:
                begins.append(number)
                self.template = begin.group(1) or None
            elif re.match(rf"\s*# <<< awslogin discover {name} <<<", line):
                ends.append(number)
        if not begins and not ends:
            return None
        if len(begins) != 1 or len(ends) != 1 or ends < begins:
            raise self.page.error(
                f"the block of `awslogin discover {self._provider}` is damaged",
                (begins or ends)[0],
                "it has one first line `# >>> …` and one last line `# <<< …`",
            )
        return begins[0], ends[0]

    def _find_entries(self) -> list[Entry]:
        if not self._place or not self.profiles:
            return []
        first, last = self._place
        _, value = self.page.section("profiles")
        nodes = [key for key, _ in value.value if first < key.start_mark.line < last]
        starts = [key.start_mark.line for key in nodes]
        return [
            Entry(key.value, self._target(self.profiles[key.value]), "".join(self.page.lines[a:b]))
            for key, a, b in zip(nodes, starts, [*starts[1:], last], strict=False)
        ]

    def _target(self, profile: Any) -> Target:
        if not isinstance(profile, dict) or profile.get("provider") != self._provider:
            return ELSEWHERE
        return str(profile.get("account")), str(profile.get("role"))
