"""JumpCloud's user console and its app. Strict: each session has an XSRF token, which every post
shows; a code is good once; a push is one push; what it gives opens the app once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.relying_party import RelyingParty, encoded, unpadded
from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.twin import Twin
from tests.sandbox.world import Person

APP = "/saml2/aws"
_AUTH = "/userconsole/auth"
_FIELDS = {"Context", "RedirectTo", "Email", "Password", "OTP"}


@dataclass
class Session:
    """One browser."""

    xsrf: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    person: Person | None = None
    pushes: dict[str, int] = field(default_factory=dict)
    key_token: str = ""
    ticket: str = ""


class JumpCloud(Twin):
    """The console. Factors of a habit: `totp`, `push`, `webauthn`, `duo`, by commas.

    Knobs: `refuses` (by person: what the console says instead, with its status).
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.site = RelyingParty()
        self.refuses: dict[str, tuple[int, str]] = {}
        self._sessions: dict[str, Session] = {}

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self.world.lock:
            name = asked.cookies.get("_xsrf", "")
            if (asked.method, asked.path) == ("GET", "/userconsole/xsrf"):
                name = secrets.token_urlsafe(16)
                session = self._sessions[name] = Session()
                answer = as_json({"xsrf": session.xsrf})
                answer.headers["Set-Cookie"] = f"_xsrf={name}; Path=/; HttpOnly"
                return answer
            known = self._sessions.get(name)
            if known is None:
                return Answer(302, "", {"Location": f"/login?redirectTo={asked.path}"})
            if asked.path == APP:
                return self._app(asked, known)
            if asked.headers.get("x-xsrftoken") != known.xsrf:
                return as_json({"message": "Forbidden: XSRF"}, 403)
            return self._console(asked, known)

    def _console(self, asked: Asked, session: Session) -> Answer:
        path = asked.path.removeprefix(_AUTH)
        if (asked.method, path) == ("POST", ""):
            return self._auth(asked.json, session)
        person = session.person
        if person is None:
            return as_json({"message": "Authentication failed."}, 401)
        if path == "/webauthn":
            return self._webauthn(asked, session, person)
        if (asked.method, path) == ("POST", "/push"):
            self.seen.pushes += 1
            push = secrets.token_hex(12)
            session.pushes[push] = 0
            return self._push(push, "pending")
        push, _, login = path.removeprefix("/push/").partition("/")
        if push not in session.pushes:
            return as_json({"message": "Not found"}, 404)
        if login:
            return self._push_login(asked, session, push)
        words = {"wait": "pending", "approve": "accepted", "deny": "denied"}
        return self._push(push, words[self.polled(person)])

    def _auth(self, body: dict[str, Any], session: Session) -> Answer:
        if set(body) != _FIELDS or body["Context"] != "sso" or body["RedirectTo"] != APP[1:]:
            return as_json({"message": "Bad request"}, 400)
        person = self.person(body["Email"], body["Password"])
        if person is None or person.disabled:
            return as_json({"message": "Authentication failed."}, 401)
        if person.name in self.refuses:
            status, said = self.refuses[person.name]
            return as_json({"message": said}, status)
        session.person = person
        factors = [one for one in self.habit(person).factor.split(",") if one]
        if not factors:
            return self._done(session)
        if body["OTP"]:
            if "totp" in factors and self.accepts(person, body["OTP"]):
                return self._done(session)
            return as_json({"message": "Invalid verification code."}, 401)
        listed = [{"type": one, "status": "available"} for one in factors]
        listed.append({"type": "sms", "status": "not_available"})
        return as_json({"message": "MFA required.", "factors": listed}, 401)

    def _push(self, push: str, status: str) -> Answer:
        return as_json({"id": push, "status": status, "expiresAt": "2099-01-01T00:00:00Z"})

    def _push_login(self, asked: Asked, session: Session, push: str) -> Answer:
        assert session.person
        habit = self.habit(session.person)
        answered = self.seen.polls > habit.after and habit.answer == "approve"
        del session.pushes[push]
        if asked.method != "POST" or not answered:
            return as_json({"message": "Not accepted"}, 401)
        return self._done(session)

    def _webauthn(self, asked: Asked, session: Session, person: Person) -> Answer:
        if asked.method == "GET":
            session.key_token = secrets.token_urlsafe(16)
            keys = self.site.keys.get(person.name, [])
            return as_json(
                {
                    "publicKey": {
                        "challenge": self.site.challenge(person.name),
                        "rpId": self.site.rp_id,
                        "timeout": 60000,
                        "allowCredentials": [
                            {"id": encoded(one.id), "type": "public-key"} for one in keys
                        ],
                        "userVerification": self.site.verification,
                    },
                    "token": session.key_token,
                }
            )
        answer, token = asked.json["publicKeyCredential"], session.key_token
        session.key_token = ""
        if not token or asked.json["token"] != token:
            return as_json({"message": "Invalid token"}, 401)
        names = ("clientDataJSON", "authenticatorData", "signature")
        parts = (unpadded(answer["response"][name]) for name in names)
        if self.site.why_not(person.name, unpadded(answer["rawId"]), *parts):
            return as_json({"message": "Authentication failed."}, 401)
        return self._done(session)

    def _done(self, session: Session) -> Answer:
        session.ticket = secrets.token_urlsafe(16)
        return as_json({"redirectTo": f"{self.url}?ticket={session.ticket}"})

    def _app(self, asked: Asked, session: Session) -> Answer:
        ticket, session.ticket = session.ticket, ""
        if not ticket or asked.query.get("ticket") != ticket or session.person is None:
            return html("<title>JumpCloud</title><p>Please sign in</p>", 403)
        return self.done(session.person)
