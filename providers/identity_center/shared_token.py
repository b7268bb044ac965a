"""AWS CLI's own token cache, for people who want both tools on one sign-in. It is plain text.

Source: botocore `SSOTokenProvider` and `SSOTokenLoader`: the file is
`~/.aws/sso/cache/<sha1 of the sso-session's name>.json`, wherever AWS_CONFIG_FILE points.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from broker.paths import expanded, read_or_none, write_private
from broker.ports.clock import from_text, to_text
from providers.identity_center.options import IdentityCenterOptions
from providers.identity_center.start_url import plain_start_url

_NEEDED = ("accessToken", "expiresAt", "clientId", "clientSecret", "registrationExpiresAt")
_TIMES = ("expiresAt", "registrationExpiresAt")


class SharedToken:
    """The file of one sso-session."""

    def __init__(self, session_name: str, options: IdentityCenterOptions) -> None:
        name = hashlib.sha1(session_name.encode(), usedforsecurity=False).hexdigest()
        self.path = expanded("~/.aws/sso/cache") / f"{name}.json"
        self._options = options

    def read(self) -> dict[str, Any] | None:
        """The token in the file, or None where there is none of this start URL and region."""
        try:
            token = json.loads(read_or_none(self.path) or b"{}")
            if any(not isinstance(token[name], str) for name in _NEEDED):
                return None
            if plain_start_url(token["startUrl"]) != self._options.start_url:
                return None
            if self._options.region not in ("", token["region"]):
                return None
            times = {name: _time(token[name]) for name in _TIMES}
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            return None
        found: dict[str, Any] = token | times
        return found

    def whose(self) -> str:
        """Whose sign-in it is: another text after a logout, a new sign-in and a refresh.

        Where there is none, the folder's time tells: a file that came and went has changed it.
        """
        token = self.read()
        if token:
            who = str(token["accessToken"])
        else:
            try:
                who = f"none since {self.path.parent.stat().st_mtime_ns}"
            except OSError:
                who = "none"
        return hashlib.sha256(who.encode()).hexdigest()

    def write(self, token: dict[str, Any]) -> None:
        """Write it where AWS CLI and every SDK look for it, mode 0600."""
        named = token | {"startUrl": self._options.start_url}
        write_private(self.path, json.dumps(named).encode())

    def forget(self) -> None:
        """Remove the file, if it is this sign-in's."""
        if self.read():
            self.path.unlink(missing_ok=True)


def _time(text: str) -> str:
    """As we write it; older clients end it in `UTC`."""
    return to_text(from_text(text.replace("UTC", "+00:00")))
