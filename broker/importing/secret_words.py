"""Secrets in what another tool keeps in the open: none of them goes into our YAML."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from broker.config.secrets import is_secret

_OPTION = re.compile(
    r"(?i)-{1,2}[\w-]*(?:password|passwd|passphrase|secret|token|api-?key)[\w-]*(=.+)?"
)
_SEED = re.compile(r"[A-Z2-7]{16,}={0,6}|[0-9a-fA-F]{32,}")
"""A TOTP seed as commands such as oathtool take it, in base32 or hexadecimal."""
_ADDRESS = re.compile(r"\w+://[^/\s:@]+:[^/\s:@]+@")
_COMMANDS = frozenset({"command", "mfa_process"})


def problem(values: Mapping[str, Any]) -> tuple[str, str] | None:
    """The key of a value that does not belong into our YAML and why, or None."""
    for key, given in values.items():
        for inner, text in texts(key, given):
            if is_secret(inner, text) or _ADDRESS.search(text):
                return key, "it looks like a secret, and none belongs in our YAML"
            if "${" in text:
                return key, "it holds `${`, which our YAML would fill in"
        if key in _COMMANDS and _tells_a_secret(given):
            return key, "its command seems to hold a secret, and none belongs in our YAML"
    return None


def texts(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text of a value, with the key that it stands under."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from texts(str(name), inner)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(key, item)
    else:
        yield key, str(value)


def _tells_a_secret(command: str | list[str]) -> bool:
    """Whether a command has a secret option with a value, or an argument that looks like a seed."""
    try:
        arguments = shlex.split(command) if isinstance(command, str) else command
    except ValueError:
        arguments = str(command).split()
    for place, argument in enumerate(arguments):
        option = _OPTION.fullmatch(argument)
        follows = arguments[place + 1] if place + 1 < len(arguments) else "-"
        if option and (option.group(1) or not follows.startswith("-")):
            return True
        if _SEED.fullmatch(argument):
            return True
    return False
