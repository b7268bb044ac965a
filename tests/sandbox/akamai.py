"""Akamai's EAA sign-in. Strict: the page's XSRF token belongs to its session and is shown by every
request; a code is good once; the app opens after what it demands alone.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.twin import Twin
from tests.sandbox.world import Person

HOSTNAME = "signin.aws.amazon.com"
APP = f"/?app={HOSTNAME}"
_UUID = "1b2c3d"


@dataclass
class Session:
    """One browser."""

    xsrf: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    person: Person | None = None
    verified: bool = False
    sent: str = ""


class Akamai(Twin):
    """The identity provider. Factors of a habit, by commas: `totp`, `sms`, `email`, `duo`, or
    `register`. Knobs: `preferred` (the person's usual one).
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.preferred = ""
        self.sent: dict[str, str] = {}
        self._sessions: dict[str, Session] = {}

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self.world.lock:
            if (asked.method, asked.path) == ("GET", "/"):
                name = secrets.token_urlsafe(16)
                session = self._sessions[name] = Session()
                hidden = f"<input type=hidden id=xsrf value='{session.xsrf}'>"
                answer = html(f"<title>Login</title>{hidden}<div id=app></div>")
                answer.headers["Set-Cookie"] = f"sid={name}; Path=/; HttpOnly"
                return answer
            known = self._sessions.get(asked.cookies.get("sid", ""))
            if known is None or asked.headers.get("xsrf") != known.xsrf:
                return as_json({"status": 403, "msg": "xsrf"}, 403)
            return self._api(asked, known)

    def _api(self, asked: Asked, session: Session) -> Answer:
        if asked.path == "/api/v1/login":
            return self._login(asked.json, session)
        person = session.person
        if person is None:
            return as_json({"status": 401, "msg": "Please sign in"})
        factors = [one for one in self.habit(person).factor.split(",") if one]
        if asked.path == "/api/v2/apps/navigate":
            return self._navigate(asked.json, session, factors)
        if asked.path == "/api/v1/config/mfa":
            return as_json({"mfa": {"config": {"options": factors}}})
        if asked.path == "/api/v1/mfa/token/settings":
            settings: dict[str, Any] = {one: [{"uuid": _UUID}] for one in factors}
            settings["preferred"] = {"option": self.preferred}
            return as_json({"mfa": {"settings": settings}})
        kind, _, what = asked.path.removeprefix("/api/v1/mfa/user/").partition("/token/")
        body = asked.json
        if body.get("uuid") != _UUID or kind.replace("phone", "sms") not in factors:
            return as_json({"status": 404, "msg": "No such factor"})
        if what == "push" and kind != "totp":
            session.sent = self.sent[person.name] = f"{secrets.randbelow(10**6):06}"
            return as_json({"status": 200})
        given = body.get("token")
        right = given == session.sent if session.sent else self.accepts(person, given)
        session.sent = ""
        session.verified = right
        return as_json({"status": 200} if right else {"status": 400, "msg": "Invalid token"})

    def _login(self, body: dict[str, Any], session: Session) -> Answer:
        if set(body) != {"username", "password"}:
            return as_json({"status": 400, "msg": "Bad request"})
        session.person = self.person(body["username"], body["password"])
        if session.person is None:
            return as_json({"status": 401, "msg": "Invalid username or password"})
        return as_json({"status": 200, "msg": "success"})

    def _navigate(self, body: dict[str, Any], session: Session, factors: list[str]) -> Answer:
        assert session.person
        if body != {"hostname": HOSTNAME}:
            return as_json({"status": 404, "msg": "No such app"})
        if factors == ["register"]:
            return as_json({"mfa": {"status": "register"}})
        if factors and not session.verified:
            return as_json({"mfa": {"status": "verify"}})
        return as_json({"navigate": {"body": self.done(session.person).body}})
