"""What a YAML would do once it is trusted, decoded, in a few lines. Pure.

It is shown last, nearest to the question: what runs stands at its end. None of it is left out, as
that would be where to hide; what is more than a screen comes in parts, each with a question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from broker import registry
from broker.config.commands import commands_in
from broker.config.document import Document
from broker.config.variables import variables_in
from broker.terminal_text import escape_controls

PAGE_LINES = 18
MAX_LETTERS = 160
"""Of one line; what is longer goes on in the next."""
_ENTRA = "login.microsoftonline.com"


def consequences(document: Document) -> list[str]:
    """The summary, in parts that a screen takes: each kind of consequence with what it concerns."""
    data = document.data if isinstance(document.data, dict) else {}
    providers = data.get("providers")
    entries = providers.items() if isinstance(providers, dict) else ()
    options = {str(name): entry for name, entry in entries if isinstance(entry, dict)}
    kinds = [
        ("takes more from", [str(source) for source in _list(data.get("extends"))]),
        ("reads the variables", sorted(_variables(data))),
        ("reads the files", sorted(_files(options))),
        ("loads the plugins", sorted(_plugins(options))),
        ("contacts", sorted(_contacts(options))),
        ("may send your password to", sorted(_password_hosts(options))),
        ("runs", _runs(data)),
    ]
    lines = [line for title, items in kinds for line in _section(title, items)]
    if not lines:
        return ["It runs nothing and contacts nobody but AWS.\n"]
    lines.insert(0, "What it does once it is trusted:")
    starts = range(0, len(lines), PAGE_LINES)
    return ["".join(f"{line}\n" for line in lines[at : at + PAGE_LINES]) for at in starts]


def shown_host(host: str) -> str:
    """A host as the network knows it: letters of other alphabets in punycode."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host.encode("ascii", "backslashreplace").decode()


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    shown = dict.fromkeys(_line(item) for item in items)
    if shown:
        yield f"  {title}"
    for line in shown:
        yield f"    {line[:MAX_LETTERS]}"
        for at in range(MAX_LETTERS, len(line), MAX_LETTERS):
            yield f"      {line[at : at + MAX_LETTERS]}"


def _line(text: str) -> str:
    """It as one line, nothing hidden, not behind blanks without end either."""
    line = escape_controls(text).replace("\n", "\\n").replace("\t", "\\t")
    return " ".join(line.split()) if "   " in line else line


def _runs(data: Any) -> Iterator[str]:
    """Each command once, with the first place that names it."""
    places: dict[str, list[str]] = {}
    for command in commands_in(data):
        places.setdefault(command.text, []).append(".".join(map(str, command.keys)))
    for text, (first, *others) in places.items():
        yield f"{first}{f' and {len(others)} more' if others else ''}: {text}"


def _variables(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["env"]} if isinstance(value.get("env"), str) else set()
        return own.union(*(_variables(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(_variables(inner) for inner in value))
    return set(variables_in(value)) if isinstance(value, str) else set()


def _files(options: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, entry in options.items():
        token = entry.get("token")
        if isinstance(token, dict) and "file" in token:
            yield f"{name}: {token['file']}"


def _plugins(options: dict[str, dict[str, Any]]) -> Iterator[str]:
    for entry in options.values():
        type_ = entry.get("type")
        if isinstance(type_, str) and not registry.is_own(type_):
            yield f"{type_}, of the wheel {registry.wheel_of(registry.names()[type_])}"


def _contacts(options: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, entry in options.items():
        yield from (f"{name}: {shown_host(host)}" for host in _hosts(entry))


def _hosts(value: Any) -> Iterator[str]:
    """The hosts of all addresses among some options."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _hosts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _hosts(inner)
    elif isinstance(value, str) and "://" in value:
        yield _host(value)


def _host(address: str) -> str:
    try:
        return urlsplit(address.strip()).netloc.rpartition("@")[2] or address
    except ValueError:
        return json.dumps(address)


def _password_hosts(options: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, entry in options.items():
        if entry.get("type") != "saml" or entry.get("idp") == "browser":
            continue
        hosts = [_host(str(entry["url"]))] if "url" in entry else []
        if entry.get("idp") == "entra":
            hosts.append(_ENTRA)
        for host in (*hosts, *map(str, _list(entry.get("hosts")))):
            yield f"{name}: {shown_host(host)}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
