"""`${NAME}` in the YAML's text, filled in from the environment. Owns which variables may be.

The list is of what may be, not of what may not: nobody knows the names of all secrets.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator, Mapping
from typing import Any

from broker.config.document import Document
from broker.config.document import Path as Keys

ALLOWED = ("USER", "USERNAME", "LOGNAME", "HOME")
PREFIX = "AWSLOGIN_VAR_"
"""Any variable that begins so is meant for a config."""
HOST_KEYS = frozenset({"hosts", "subdomain", "tenant", "region"})
"""Options that are a host, or a part of one."""

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_BEFORE_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\\]*")


def variables_in(text: str) -> list[str]:
    """The names of the variables that a text refers to."""
    return _VARIABLE.findall(text)


def expanded(
    value: Any,
    keys: Keys,
    document: Document,
    environ: Mapping[str, str] | None,
    profile: str | None = None,
) -> Any:
    """Text with its variables filled in, in lists and mappings too.

    Args:
        value: Text, or lists and mappings of it; anything else stays as it is.
        keys: Where it stands in the document.
        document: Where errors are placed.
        environ: The environment; None leaves variables as they are written, once checked.
        profile: The profile that an error concerns alone.

    Raises:
        ConfigError: A variable is not set, or may not stand there.
    """
    if isinstance(value, dict):
        return {k: expanded(v, (*keys, k), document, environ, profile) for k, v in value.items()}
    if isinstance(value, list):
        return [
            expanded(item, (*keys, index), document, environ, profile)
            for index, item in enumerate(value)
        ]
    if not isinstance(value, str) or "${" not in value:
        return value
    for message, hint in _flaws(value, keys):
        raise document.error(keys, message, hint=hint, profile=profile)
    if environ is None:
        return value

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        found = environ.get(name) or (_user(environ) if name == "USER" else None)
        if not found:
            raise document.error(
                keys, f"the variable {name} is not set", hint=f"set {name}", profile=profile
            )
        return found

    filled = _VARIABLE.sub(fill, value)
    if "://" not in value and "://" in filled:
        message = "a variable that holds a whole address"
        raise document.error(keys, message, hint="write the address itself", profile=profile)
    return filled


def _flaws(text: str, keys: Keys) -> Iterator[tuple[str, str]]:
    for name in variables_in(text):
        if name not in ALLOWED and not re.fullmatch(rf"{PREFIX}\w+", name, re.ASCII):
            yield (
                f"${{{name}}} may hold a secret and is not filled in",
                f"{', '.join(ALLOWED)} and names that begin {PREFIX} are",
            )
    address = _BEFORE_PATH.match(text)
    if (address and "${" in address.group()) or HOST_KEYS & set(keys):
        yield "a variable in the host of an address", "write the host itself"


def _user(environ: Mapping[str, str]) -> str | None:
    try:
        return environ.get("USERNAME") or getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
