"""The one session that every provider's result becomes, and its published shape.

Owns the fields, their JSON and freshness; not how a session is got, kept or printed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from broker.credentials import Credentials
from broker.ports.clock import from_text, to_text
from broker.secret import Secret

VERSION = 1
"""Changes when a field of the JSON changes its meaning or goes away."""


@dataclass(frozen=True)
class Session:
    """A session as `--output json` shows it. Times are UTC.

    Attributes:
        profile: The name it was asked for by.
        provider: The provider's name in the YAML, of a chain its first one's.
        type: That provider's type.
        account_id: 12 digits, or None where the provider cannot know without another call.
        arn: The principal, or None likewise.
        partition: `aws`, `aws-cn`, ….
        region: The profile's region.
        session_token: None for a user's own keys (`exec --no-session`) alone.
        expires_at: None for a user's own keys alone.
        from_cache: Whether it was there before this command.
        narrowed: What the command line narrowed it to (`Profile.narrowed`); no part of its JSON.
    """

    profile: str
    provider: str
    type: str
    account_id: str | None
    arn: str | None
    partition: str
    region: str
    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None
    issued_at: datetime
    expires_at: datetime | None
    from_cache: bool = False
    narrowed: tuple[str, ...] = ()

    def is_fresh(self, now: datetime, min_ttl: timedelta) -> bool:
        """Whether it is handed out now."""
        until = self.fresh_until(min_ttl)
        return until is None or now < until

    def fresh_until(self, min_ttl: timedelta) -> datetime | None:
        """As long as `min_ttl`, but at most half of the session's life, is left; None: for ever."""
        if self.expires_at is None:
            return None
        return self.expires_at - min(min_ttl, (self.expires_at - self.issued_at) / 2)

    def to_json(self) -> dict[str, Any]:
        """The contract's object, secrets in plain: print it or seal it, nothing else."""
        document: dict[str, Any] = {"version": VERSION}
        for name in published_fields():
            value = getattr(self, name)
            if isinstance(value, Secret):
                value = value.reveal()
            elif isinstance(value, datetime):
                value = to_text(value)
            document[name] = value
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Session:
        """The inverse of `to_json`.

        Raises:
            KeyError, ValueError: Not a session of this version.
        """
        if document["version"] != VERSION:
            raise ValueError("a session of another version")
        values = {name: document[name] for name in published_fields()}
        token, until = values["session_token"], values["expires_at"]
        return cls(
            **values
            | {
                "secret_access_key": Secret(values["secret_access_key"]),
                "session_token": Secret(token) if token else None,
                "issued_at": from_text(values["issued_at"]),
                "expires_at": from_text(until) if until else None,
            }
        )

    def credentials(self) -> Credentials:
        """What signs requests."""
        return Credentials(
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            session_token=self.session_token,
            expires_at=self.expires_at,
        )

    def cached(self) -> Session:
        """The same session, marked as one that was there before."""
        return replace(self, from_cache=True)


def published_fields() -> list[str]:
    """The names of what a session's JSON holds beside its version."""
    return [field.name for field in fields(Session) if field.name != "narrowed"]
