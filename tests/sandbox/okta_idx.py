"""The JSON behind Okta Identity Engine's sign-in page. Strict: each post names a way on that was
offered, with the transaction's handle; wrong answers are counted, and the third ends it; what it
gives opens a session once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.relying_party import RelyingParty, encoded, unpadded
from tests.sandbox.server import Answer, Asked, as_json
from tests.sandbox.world import Person, World

ION = "application/ion+json; okta-version=1.0.0"
MOST_TRIES = 3
_DEVICES: dict[str, tuple[str, str, str, list[str]]] = {
    "okta_verify": ("aut1", "app", "Okta Verify", ["signed_nonce", "push", "totp"]),
    "google_otp": ("aut2", "app", "Google Authenticator", []),
    "phone_number": ("aut3", "phone", "Phone", ["sms", "voice"]),
    "webauthn": ("aut4", "security_key", "Security Key or Biometric", ["webauthn"]),
    "duo": ("aut5", "app", "Duo Security", ["idp"]),
    "security_question": ("aut6", "security_question", "Security Question", []),
}


@dataclass
class Transaction:
    """One way through the page."""

    step: str = "identify"
    person: Person | None = None
    key: str = ""
    method: str = ""
    tries: int = 0
    polls: int = 0
    sent: str = ""


@dataclass
class OktaIdx:
    """The page's API.

    Knobs: `factors` (by person: keys of authenticators), `apart` (the password has a page of its
    own), `confirms` (how a phone is reached is asked once more), `ways` (by person: names of other
    ways on, instead of what follows the password), `push_after`, `push_result`, `number`.
    """

    world: World
    site: RelyingParty
    url: str = ""
    factors: dict[str, list[str]] = field(default_factory=dict)
    ways: dict[str, list[str]] = field(default_factory=dict)
    apart: bool = False
    confirms: bool = False
    push_after: int = 2
    push_result: str = ""
    number: int | None = None
    passwords_seen: int = 0
    codes_seen: int = 0
    sent: dict[str, str] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    _started: dict[str, Person | None] = field(default_factory=dict)
    _open: dict[str, Transaction] = field(default_factory=dict)
    _done: dict[str, Person] = field(default_factory=dict)

    def started(self, person: Person | None = None) -> str:
        """A state token for the page; good once. Of a person it asks for a factor alone."""
        token = "02.id." + secrets.token_urlsafe(24) + "-x"
        self._started[token] = person
        return token

    def spent(self, token: str) -> Person | None:
        """Who has signed in with this; once."""
        return self._done.pop(token, None)

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        if asked.method != "POST" or asked.headers.get("content-type") != ION:
            return as_json({"errorCode": "E0000021"}, 415)
        body = asked.json
        path = asked.path.removeprefix("/idp/idx/")
        if path == "introspect":
            token = str(body.get("stateToken"))
            if body != {"stateToken": token} or token not in self._started:
                return self._over("The session has expired.")
            person = self._started.pop(token)
            handle = "02.id." + secrets.token_urlsafe(24)
            self._open[handle] = Transaction("select" if person else "identify", person)
            return self._answer(handle)
        handle = str(body.pop("stateHandle", ""))
        now = self._open.get(handle)
        if now is None:
            return self._over("The session has expired.")
        routes = {
            ("identify", "identify"): self._identify,
            ("challenge/answer", "password"): self._password,
            ("challenge", "select"): self._select,
            ("challenge", "confirm"): self._select,
            ("challenge/answer", "challenge"): self._solve,
            ("authenticators/poll", "poll"): self._poll,
            ("skip", "skip"): self._skip,
        }
        route = routes.get((path, now.step))
        if route is None:
            self.strays.append(f"{path} at {now.step}")
            return as_json({"errorCode": "E0000001"}, 400)
        said = route(now, body)
        if said:
            now.tries += 1
        if now.tries >= MOST_TRIES:
            del self._open[handle]
            return self._over("User locked.")
        return self._answer(handle, said)

    @staticmethod
    def _over(said: str) -> Answer:
        error = {"message": said, "class": "ERROR", "i18n": {"key": "idx.session.expired"}}
        return as_json({"version": "1.0.0", "messages": {"type": "array", "value": [error]}}, 401)

    # What is answered; each returns what is wrong

    def _identify(self, now: Transaction, body: dict[str, Any]) -> str:
        names = {"identifier"} if self.apart else {"identifier", "credentials"}
        if set(body) != names:
            return "api.validation"
        now.person = self.world.people.get(str(body["identifier"]).partition("@")[0])
        if self.apart:
            now.step = "password"
            return ""
        return self._password(now, body)

    def _password(self, now: Transaction, body: dict[str, Any]) -> str:
        self.passwords_seen += 1
        person = now.person
        if not person or person.disabled or body["credentials"] != {"passcode": person.password}:
            return "Unable to sign in"
        now.step = "select" if self.factors.get(person.name) else "done"
        now.step = "skip" if self.ways.get(person.name) == ["skip"] else now.step
        return ""

    def _skip(self, now: Transaction, body: dict[str, Any]) -> str:
        now.step = "done"
        return "" if body == {} else "api.validation"

    def _select(self, now: Transaction, body: dict[str, Any]) -> str:
        assert now.person
        chosen = body.get("authenticator", {})
        offered = self.factors[now.person.name]
        now.key = next((key for key in offered if _DEVICES[key][0] == chosen.get("id")), "")
        methods = _DEVICES[now.key][3] if now.key else []
        now.method = chosen.get("methodType", "")
        if not now.key or (methods and now.method not in methods):
            return "api.validation"
        if now.method == "sms":
            now.sent = self.sent[now.person.name] = f"{secrets.randbelow(10**6):06}"
        asks = self.confirms and now.key == "phone_number" and now.step == "select"
        now.step = "poll" if now.method == "push" else "confirm" if asks else "challenge"
        return ""

    def _poll(self, now: Transaction, body: dict[str, Any]) -> str:
        now.polls += 1
        if now.polls >= self.push_after:
            now.step = "select" if self.push_result else "done"
        return self.push_result if now.step == "select" else ""

    def _solve(self, now: Transaction, body: dict[str, Any]) -> str:
        person, given = now.person, body.get("credentials", {})
        assert person
        right = False
        if now.key == "webauthn":
            client, data = (unpadded(given[n]) for n in ("clientData", "authenticatorData"))
            if any(mark in "".join(given.values()) for mark in "-_"):
                return "api.validation"
            signature = unpadded(given["signatureData"])
            right = not self.site.why_not(person.name, None, client, data, signature)
        elif now.key == "security_question":
            right = given == {"answer": "fluffy", "questionKey": "cat"}
        elif now.sent:
            right = given == {"passcode": now.sent}
        elif person.totp:
            self.codes_seen += 1
            right = person.totp.accepts(given.get("passcode"), self.world.now())
        now.step = "done" if right else "challenge"
        return "" if right else "Invalid code. Try again."

    # What is shown

    def _answer(self, handle: str, said: str = "") -> Answer:
        now = self._open[handle]
        shown: dict[str, Any] = {"version": "1.0.0", "stateHandle": handle, "intent": "LOGIN"}
        shown["expiresAt"] = "2099-01-01T00:00:00.000Z"
        if now.step == "done" and now.person:
            del self._open[handle]
            token = secrets.token_urlsafe(24)
            self._done[token] = now.person
            href = f"{self.url}/login/token/redirect?stateToken={token}"
            shown["success"] = {"name": "success-redirect", "href": href}
            return _ion(shown)
        other = self.ways.get(now.person.name, []) if now.person else []
        if other and now.step in {"select", "done", "skip"}:
            ways = [self._way(name, name) for name in other]
        else:
            ways = self._ways(now, shown)
        if said and now.step in {"identify", "password"}:
            error = {"message": said, "class": "ERROR", "i18n": {"key": "errors.E0000004"}}
            shown["messages"] = {"type": "array", "value": [error]}
        elif said and now.step == "select":
            shown["messages"] = {"type": "array", "value": [{"message": said, "class": "WARNING"}]}
        elif said:
            errors = {"type": "array", "value": [{"message": said, "class": "ERROR"}]}
            ways[0]["value"][0]["form"] = {"value": [{"name": "passcode", "messages": errors}]}
        shown["remediation"] = {"type": "array", "value": ways}
        return _ion(shown, 401 if said else 200)

    def _ways(self, now: Transaction, shown: dict[str, Any]) -> list[dict[str, Any]]:
        if now.step == "identify":
            credentials = [] if self.apart else [{"name": "credentials", "type": "object"}]
            fields = [{"name": "identifier"}, *credentials]
            fastpass = self._way("launch-authenticator", "authenticators/okta-verify/launch")
            return [self._way("identify", "identify", fields), fastpass]
        if now.step == "password":
            shown["currentAuthenticator"] = _object(
                {"type": "password", "key": "okta_password", "methods": [{"type": "password"}]}
            )
            return [self._way("challenge-authenticator", "challenge/answer", _CREDENTIALS)]
        assert now.person
        select = self._way("select-authenticator-authenticate", "challenge", [self._offer(now)])
        keys = self.site.keys.get(now.person.name, [])
        enrolled: list[dict[str, Any]] = [
            {"key": key, "type": _DEVICES[key][1]} for key in self.factors[now.person.name]
        ]
        for one in enrolled:
            if one["key"] == "phone_number":
                one["profile"] = {"phoneNumber": "+1 XXX-5309"}
        enrolled += [{"key": "webauthn", "credentialId": encoded(one.id)} for one in keys]
        shown["authenticatorEnrollments"] = {"type": "array", "value": enrolled}
        if now.step == "select":
            return [select]
        if now.step == "confirm":
            form = self._offer(now)["options"][0]["value"]["form"]
            data = [{"name": "authenticator", "label": "Phone", "form": form}]
            return [self._way("authenticator-verification-data", "challenge", data), select]
        about: dict[str, Any] = {"key": now.key, "type": _DEVICES[now.key][1], "id": "aut"}
        about |= {"displayName": _DEVICES[now.key][2], "methods": [{"type": now.method}]}
        if now.key == "webauthn":
            challenge = self.site.challenge(now.person.name)
            wish = {"challenge": challenge, "userVerification": self.site.verification}
            about["contextualData"] = {"challengeData": wish}
        if now.key == "security_question":
            about["profile"] = {"questionKey": "cat", "question": "Name of the cat?"}
        if now.step == "poll" and self.number is not None:
            about["contextualData"] = {"correctAnswer": self.number}
        shown["currentAuthenticator"] = _object(about)
        if now.step == "poll":
            poll = self._way("challenge-poll", "authenticators/poll")
            return [{**poll, "refresh": 4000}, select]
        return [self._way("challenge-authenticator", "challenge/answer", _CREDENTIALS), select]

    def _offer(self, now: Transaction) -> dict[str, Any]:
        assert now.person
        options = []
        for number, key in enumerate(self.factors[now.person.name]):
            name, _, label, methods = _DEVICES[key]
            fields: list[dict[str, Any]] = [{"name": "id", "value": name}]
            if len(methods) == 1:
                fields.append({"name": "methodType", "value": methods[0]})
            elif methods:
                ways = [{"label": one, "value": one} for one in methods]
                fields.append({"name": "methodType", "options": ways})
            related = f"$.authenticatorEnrollments.value[{number}]"
            form = {"form": {"value": fields}}
            options.append({"label": label, "value": form, "relatesTo": related})
        return {"name": "authenticator", "type": "object", "options": options}

    def _way(self, name: str, path: str, fields: list[Any] | None = None) -> dict[str, Any]:
        value = [dict(one) for one in fields or []] + [{"name": "stateHandle", "value": "x"}]
        href = f"{self.url}/idp/idx/{path}"
        return {
            "rel": ["create-form"],
            "name": name,
            "href": href,
            "method": "POST",
            "value": value,
        }


_CREDENTIALS = [{"name": "credentials", "type": "object"}]


def _ion(document: dict[str, Any], status: int = 200) -> Answer:
    answer = as_json(document, status)
    answer.headers["Content-Type"] = ION
    return answer


def _object(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "value": value}
