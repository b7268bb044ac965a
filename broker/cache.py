"""Sealed sessions, found again by their ids. Owns their files and freshness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from broker.ports.clock import Clock
from broker.ports.steps import step
from broker.seal import SealedFiles
from broker.session import Session

_SESSION = "session-"
_SIGN_IN = "signin-"


class SessionCache:
    """Sessions at rest."""

    def __init__(self, sealed: SealedFiles, clock: Clock) -> None:
        self._sealed = sealed
        self._clock = clock

    def fresh(self, key: str, min_ttl: timedelta) -> Session | None:
        """The session under this key, if it is still fresh."""
        session = self.peek(key)
        fresh = session is not None and session.is_fresh(self._clock.now(), min_ttl)
        if session:
            step(f"{session.profile}: the kept session {'is fresh' if fresh else 'nears its end'}")
        return session if fresh else None

    def peek(self, key: str) -> Session | None:
        """The session under this key, fresh or not."""
        document = self._document(_SESSION + key)
        return _session(document) if document else None

    def save(self, key: str, session: Session, *, sign_in: str) -> None:
        """Keep a session; `sign_in` names the sign-in it came from, so that `logout` finds it."""
        document: dict[str, Any] = {"session": session.to_json(), "sign_in": sign_in}
        if session.narrowed:
            document["narrowed"] = session.narrowed
        self._sealed.write(_SESSION + key, json.dumps(document).encode())
        step(f"{session.profile}: a new session")

    def file(self, key: str) -> Path:
        """Where the session under this key lies at rest."""
        return self._sealed.path(_SESSION + key)

    def all(self) -> Iterator[tuple[Session, str]]:
        """Every session that can be unsealed, with the name of its sign-in."""
        for name in self._sealed.names(_SESSION):
            document = self._document(name)
            if document:
                yield _session(document), document["sign_in"]

    def knows_sign_in(self, sign_in: str) -> bool:
        """Whether anything is kept of this sign-in."""
        return any(True for _ in self._sealed.names(f"{_SIGN_IN}{sign_in}-"))

    def forget_sign_in(self, sign_in: str) -> None:
        """Drop all that the provider kept of this sign-in."""
        self._delete(list(self._sealed.names(f"{_SIGN_IN}{sign_in}-")))

    def forget(self, profile: str | None, sign_in: str) -> int:
        """Drop a profile's sessions (None: all of the sign-in); how many there were."""
        names = []
        for name in self._sealed.names(_SESSION):
            document = self._document(name)
            if not document or document["sign_in"] != sign_in:
                continue
            if profile in {None, document["session"]["profile"]}:
                names.append(name)
        return self._delete(names)

    def forget_all(self) -> int:
        """Drop every session and every kept sign-in; how many sessions there were."""
        sessions = list(self._sealed.names(_SESSION))
        self._sealed.remove_all()
        return len(sessions)

    def _delete(self, names: list[str]) -> int:
        self._sealed.remove(names)
        return len(names)

    def _document(self, name: str) -> dict[str, Any] | None:
        """What lies under a name, or None where it is absent, damaged or of another version."""
        content = self._sealed.read(name)
        if content is None:
            return None
        try:
            document: dict[str, Any] = json.loads(content)
            _session(document)
        except (ValueError, KeyError, TypeError):
            return None
        return document


def _session(document: dict[str, Any]) -> Session:
    session = Session.from_json(document["session"]).cached()
    return replace(session, narrowed=tuple(document.get("narrowed", ())))
