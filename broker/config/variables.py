"""`${NAME}` in the YAML's text, filled in from the environment. Owns which variables may be."""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping
from typing import Any

from broker.config.document import Document
from broker.config.document import Path as Keys
from broker.config.secrets import VARIABLES

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def expanded(
    value: Any,
    keys: Keys,
    document: Document,
    environ: Mapping[str, str],
    profile: str | None = None,
) -> Any:
    """Text with its variables filled in, in lists and mappings too.

    Args:
        value: Text, or lists and mappings of it; anything else stays as it is.
        keys: Where it stands in the document.
        document: Where errors are placed.
        environ: The environment.
        profile: The profile that an error concerns alone.

    Raises:
        ConfigError: A variable is not set, or may hold a secret.
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

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if VARIABLES.search(name):
            raise document.error(
                keys, f"${{{name}}} may hold a secret and is not filled in", profile=profile
            )
        found = environ.get(name) or (_user(environ) if name == "USER" else None)
        if not found:
            raise document.error(
                keys, f"the variable {name} is not set", hint=f"set {name}", profile=profile
            )
        return found

    return _VARIABLE.sub(fill, value)


def _user(environ: Mapping[str, str]) -> str | None:
    try:
        return environ.get("USERNAME") or getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
