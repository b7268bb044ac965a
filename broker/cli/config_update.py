"""`config update`: new pins for what the config extends, shown as what they change."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from broker.cli.app import App, command
from broker.cli.change import agreed, diff
from broker.cli.trusting import consent_to_fetch
from broker.config.document import Document, parse
from broker.config.extending import Consent, extended, in_line, reference_of
from broker.config.loading import find, read
from broker.config.trust import Trust, subject_of
from broker.errors import ConfigError, InteractionRequired, NetworkError
from broker.ports.git import Repositories
from broker.ports.git_reference import Reference
from broker.terminal_text import counted
from broker.warm import working_directory
from broker.whole_files import write_whole

_BRANCH = re.compile(r"[ \t]#[ \t]*([\w][\w./-]*)[ \t]*$")
_FIRST = ("provider", "source", "account", "role", "role_arn", "region", "duration", "policy_arns")
"""An entry's keys whose changes are shown before those of the others."""


@dataclass(frozen=True)
class _Pin:
    """A reference of the file, the line of it, and the commit that it should name now."""

    old: Reference
    new: Reference
    line: int


@command("update")
@click.argument("name", required=False)
@click.option("--dry-run", is_flag=True, help="Show the change, make none.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def update(app: App, *, name: str | None, dry_run: bool, yes: bool) -> None:
    """Fetch what the config extends, and pin it to the newest commits."""
    folder = Path(working_directory())
    path, given = find(app.config_option, app.environ, folder, app.found_option)
    before = read(path)
    trust = Trust(app.environ)
    if not given and not trust.holds(subject_of(path, before, app.environ)):
        hint = f"`awslogin config trust {path}` shows it, and fetches what it extends"
        raise InteractionRequired(f"{path} is not trusted: nothing of it is contacted", hint=hint)
    document = parse(before, str(path))
    pins = list(_pins(Repositories(app.environ), document, before, name))
    changed = [pin for pin in pins if pin.old != pin.new]
    after = _repinned(before, changed)
    consent = consent_to_fetch(app, yes=yes)
    new = _data(path, after, app, consent)
    old: dict[str, Any] = {}
    with contextlib.suppress(ConfigError, NetworkError):  # it may be what the update mends
        old = _data(path, before, app, consent)
    consequences = _consequences(old, new)
    change = diff(path, before, after) + "".join(f"{line}\n" for line in consequences)
    done = bool(changed) and not dry_run and agreed(app, change, yes=yes)
    if done:
        write_whole(path.resolve(), after, like=path.stat())
        trust.carry_over(path, before, after)
    if app.output == "json":
        made = [{"file": p.old.file, "url": p.old.url, "from": p.old.revision, "to": p.new.revision}
                for p in changed]  # fmt: skip
        app.say_json(
            {"file": str(path), "updated": made if done else [], "consequences": consequences}
        )
    elif changed:
        app.say(change if not done else f"{path}: {counted(len(changed), 'pin')}\n")
    else:
        app.say(f"{path}: {counted(len(pins), 'pin')}, all of the newest commit\n")


def _pins(
    repositories: Repositories, document: Document, content: bytes, name: str | None
) -> Iterator[_Pin]:
    """Every repository that the file extends; a comment behind it names its branch."""
    lines = content.splitlines()
    named = document.data.get("extends") if isinstance(document.data, dict) else None
    for index, text in enumerate([named] if isinstance(named, str) else named or ()):
        if not isinstance(text, str) or not text.startswith("git+") or (name or "") not in text:
            continue
        with in_line(document, index):
            old = reference_of(text)
            line = (document.origin(("extends", index)).line or 1) - 1
            if text.encode() not in lines[line]:
                raise ConfigError("stands in no line of its own", hint="write it in one line")
            comment = _BRANCH.search(lines[line].decode())
            branch = comment[1] if comment else None if old.is_pinned else old.revision
            new = old.at(repositories.newest(old, branch))
            repositories.fetch(new)
            yield _Pin(old, new, line)


def _repinned(content: bytes, pins: Iterable[_Pin]) -> bytes:
    lines = content.splitlines(keepends=True)
    for pin in pins:
        lines[pin.line] = lines[pin.line].replace(str(pin.old).encode(), str(pin.new).encode(), 1)
    return b"".join(lines)


def _data(path: Path, content: bytes, app: App, consent: Consent) -> dict[str, Any]:
    """The merged config of a content."""
    data = extended(parse(content, str(path)), path, app.environ, consent=consent).document.data
    return data if isinstance(data, dict) else {}


def _consequences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What changes, in words: `profile prod: role Admin → ReadOnly`."""
    lines: list[str] = []
    for section, noun in (("providers", "provider"), ("profiles", "profile")):
        old, new = (_entries(data, section) for data in (before, after))
        lines += [f"{noun} {name}: new" for name in new if name not in old and before]
        lines += [f"{noun} {name}: gone" for name in old if name not in new]
        for name in old.keys() & new.keys():
            keys = sorted({*old[name], *new[name]}, key=lambda key: (key not in _FIRST, key))
            lines += [
                f"{noun} {name}: {key} {_word(old[name], key)} → {_word(new[name], key)}"
                for key in keys
                if old[name].get(key) != new[name].get(key)
            ]
    for key in ("team", "default_profile", "defaults"):
        if before and before.get(key) != after.get(key):
            lines.append(f"{key}: {before.get(key)} → {after.get(key)}")
    return lines


def _entries(data: dict[str, Any], section: str) -> dict[str, dict[str, Any]]:
    entries = data.get(section)
    found = entries.items() if isinstance(entries, dict) else ()
    return {str(name): entry for name, entry in found if isinstance(entry, dict)}


def _word(entry: dict[str, Any], key: str) -> str:
    return str(entry[key]) if key in entry else "(none)"
