"""Finds secrets in a YAML, where none belongs. Owns what looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from broker.config.document import Document, Path
from broker.errors import ConfigError

_KEYS = re.compile(
    r"(?i)^(password|passwd|passphrase|secret|secret_?access_?key|aws_secret_access_key"
    r"|aws_session_token|session_token|client_secret|private_key|api_key|totp_seed|seed)$"
)
_VALUES = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?<![\w-])eyJ[\w-]{10,}+\.eyJ[\w-]{10,}+\."
)


def secrets_in(document: Document) -> Iterator[ConfigError]:
    """An error for each secret; none repeats the value."""
    for path, text in document.raw.items():
        key = _key(path)
        # `fields` holds CSS selectors of the sign-in form's inputs.
        if is_secret(key, text) and "fields" not in path:
            yield document.error(
                path,
                f"a secret stands in the YAML at `{key}`; it does not belong there",
                hint="remove it from the file and its history; `awslogin add` and the"
                " environment take secrets",
            )


def is_secret(key: str, text: str) -> bool:
    """Whether a value is a secret by its key or by its form."""
    return bool(_KEYS.match(key) or _VALUES.search(text))


def _key(path: Path) -> str:
    last = path[-1] if path else ""
    if isinstance(last, str):
        return last
    return next((part for part in reversed(path) if isinstance(part, str)), "")
