"""`config update`: new pins for what the config extends, shown as what they change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from broker.cli.app import App, command
from broker.cli.change import agreed, diff
from broker.cli.trusting import consent_to_fetch
from broker.config.document import parse
from broker.config.extending import Consent, extended
from broker.config.load import find, read
from broker.config.trust import Trust, subject_of
from broker.errors import ConfigError, InteractionRequired
from broker.ports.git import Reference, Repositories
from broker.warm import working_directory
from broker.whole_files import write_whole

_REFERENCE = re.compile(r"git\+[a-z]+://[^\s\"',\]]+")
_BRANCH = re.compile(r"[ \t]#[ \t]*([\w][\w./-]*)[ \t]*$")
_TOLD = ("provider", "source", "account", "role", "role_arn", "region", "duration", "policy_arns")


@dataclass(frozen=True)
class _Pin:
    """A reference of the file, and the commit that it should name now."""

    old: Reference
    new: Reference


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
    pins = list(_pins(Repositories(app.environ), before.decode("utf-8", "replace"), name))
    changed = [pin for pin in pins if pin.old != pin.new]
    after = before
    for pin in changed:
        after = after.replace(str(pin.old).encode(), str(pin.new).encode())
    consent = consent_to_fetch(app, yes=yes)
    told = _consequences(_data(path, before, app, consent), _data(path, after, app, consent))
    change = diff(path, before, after) + "".join(f"{line}\n" for line in told)
    done = bool(changed) and not dry_run and agreed(app, change, yes=yes)
    if done:
        write_whole(path.resolve(), after, like=path.stat())
        trust.carry_over(path, before, after)
    if app.output == "json":
        made = [{"file": p.old.file, "url": p.old.url, "from": p.old.revision, "to": p.new.revision}
                for p in changed]  # fmt: skip
        app.say_json({"file": str(path), "updated": made if done else [], "consequences": told})
    elif changed:
        app.say(change if not done else f"{path}: {len(changed)} pins\n")
    else:
        app.say(f"{path}: {len(pins)} pins, all of the newest commit\n")


def _pins(repositories: Repositories, text: str, name: str | None) -> Iterator[_Pin]:
    """Every reference in the file's text; a comment behind it names its branch."""
    seen: set[str] = set()
    for line in text.splitlines():
        for found in _REFERENCE.findall(line.partition(" #")[0] if "://" in line else line):
            old = Reference.parse(found)
            if old is None or found in seen or (name and name not in found):
                continue
            seen.add(found)
            comment = _BRANCH.search(line)
            branch = comment[1] if comment else None if old.is_pinned else old.revision
            new = old.at(repositories.newest(old, branch))
            for one in (old, new):
                if one.is_pinned:
                    repositories.fetch(one)
            yield _Pin(old, new)


def _data(path: Path, content: bytes, app: App, consent: Consent) -> dict[str, Any]:
    """The merged config of a content; empty where it is not complete."""
    try:
        whole = extended(parse(content, str(path)), path, app.environ, consent=consent)
        data = whole.document.data
    except ConfigError:
        return {}
    return data if isinstance(data, dict) else {}


def _consequences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What changes, in words: `profile prod: role Admin → ReadOnly`."""
    lines: list[str] = []
    for section, one in (("providers", "provider"), ("profiles", "profile")):
        old, new = (_entries(data, section) for data in (before, after))
        lines += [f"{one} {name}: new" for name in new if name not in old and before]
        lines += [f"{one} {name}: gone" for name in old if name not in new]
        for name in old.keys() & new.keys():
            keys = sorted({*old[name], *new[name]}, key=lambda key: (key not in _TOLD, key))
            lines += [
                f"{one} {name}: {key} {_word(old[name], key)} → {_word(new[name], key)}"
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
