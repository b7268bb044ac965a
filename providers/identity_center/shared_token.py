"""AWS CLI's own token cache, for people who want both tools on one sign-in. It is plain text.

Source: botocore `SSOTokenLoader`: `~/.aws/sso/cache/<sha1 of the sso-session's name>.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broker.paths import read_or_none, write_private

_NEEDED = ("accessToken", "expiresAt", "clientId", "clientSecret", "registrationExpiresAt")


def path_of(session_name: str) -> Path:
    """The file of an sso-session."""
    name = hashlib.sha1(session_name.encode(), usedforsecurity=False).hexdigest()
    return Path("~/.aws/sso/cache").expanduser() / f"{name}.json"


def read_token(path: Path, start_url: str) -> dict[str, Any] | None:
    """The token in the file, or None where there is none of this start URL."""
    try:
        token = json.loads(read_or_none(path) or b"{}")
    except ValueError:
        return None
    if not isinstance(token, dict) or any(not token.get(name) for name in _NEEDED):
        return None
    known = str(token.get("startUrl", "")).partition("#")[0].rstrip("/")
    return token if known == start_url else None


def write_token(path: Path, token: Mapping[str, Any]) -> None:
    """Write the token where AWS CLI and every SDK look for it, mode 0600."""
    write_private(path, json.dumps(dict(token)).encode())
