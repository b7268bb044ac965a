"""What a YAML would do once it is trusted, decoded, in a few lines. Pure.

It is shown last, nearest to the question: what runs stands at its end, and no part of it is long
enough to push another off the screen.
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

MAX_LINES = 8
"""Of one kind."""
MAX_LETTERS = 160
"""Of one line."""
_ENTRA = "login.microsoftonline.com"


def consequences(document: Document) -> str:
    """The summary; each kind of consequence with what it concerns."""
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
        ("runs", [f"{'.'.join(map(str, c.keys))}: {c.text}" for c in commands_in(data)]),
    ]
    lines = [line for title, items in kinds for line in _section(title, items)]
    if not lines:
        return "It runs nothing and contacts nobody but AWS.\n"
    return "".join(f"{line}\n" for line in ("What it does once it is trusted:", *lines))


def shown_host(host: str) -> str:
    """A host as the network knows it: letters of other alphabets in punycode."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host.encode("ascii", "backslashreplace").decode()


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    shown = list(dict.fromkeys(_short(item) for item in items))
    if shown:
        yield f"  {title}"
        yield from (f"    {item}" for item in shown[:MAX_LINES])
    if len(shown) > MAX_LINES:
        yield f"    and {len(shown) - MAX_LINES} more: `awslogin config show`"


def _short(text: str) -> str:
    """One line of it, nothing hidden: what is cut is said, as are blanks without end."""
    line = escape_controls(text).replace("\n", "\\n").replace("\t", "\\t")
    line = " ".join(line.split(" ")) if "   " not in line else " ".join(line.split())
    cut = len(line) - MAX_LETTERS
    return line if cut <= 0 else f"{line[:MAX_LETTERS]}… and {cut} letters more"


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
