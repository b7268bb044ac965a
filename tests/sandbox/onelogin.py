"""OneLogin's API. Strict: the client's token, single-use rotating state tokens, one push a sign-in,
codes good once, three wrong ones end it.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.form_idp import FormIdp
from tests.sandbox.server import Answer, Asked, as_json
from tests.sandbox.world import Person, World

CLIENT_ID, CLIENT_SECRET = "client-of-corp", "secret-of-the-client"
APP_ID, SUBDOMAIN = "123456", "corp"
MOST_CODES = 3


@dataclass
class State:
    """One sign-in that waits for a factor."""

    person: Person
    wrong_codes: int = 0
    pushed: bool = False
    polls: int = 0
    sent: str | None = None


@dataclass
class OneLogin:
    """The API. Knobs: `devices` (by person: device types), `push_after`, `push_denied`, `v1`."""

    world: World
    idp: FormIdp
    url: str = ""
    devices: dict[str, list[str]] = field(default_factory=dict)
    push_after: int = 2
    push_denied: bool = False
    v1: bool = False
    passwords_seen: int = 0
    pushes: int = 0
    polls: int = 0
    sent: dict[str, str] = field(default_factory=dict)
    _tokens: set[str] = field(default_factory=set)
    _states: dict[str, State] = field(default_factory=dict)

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        routes = {
            "/auth/oauth2/v2/token": self._token,
            "/api/2/saml_assertion": self._assertion,
            "/api/2/saml_assertion/verify_factor": self._verify,
        }
        route = routes.get(asked.path)
        if asked.method != "POST" or route is None:
            return self._refuse(404, "Not Found")
        with self.world.lock:
            if route != self._token and not self._is_client(asked):
                return self._refuse(401, "Authentication Failure")
            return route(asked)

    def _token(self, asked: Asked) -> Answer:
        pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {pair}":
            return self._refuse(401, "Authentication Failure")
        if asked.json != {"grant_type": "client_credentials"}:
            return self._refuse(400, "grant_type is required")
        token = secrets.token_hex(32)
        self._tokens.add(token)
        found = {"access_token": token, "token_type": "bearer", "expires_in": 36000}
        if self.v1:
            return as_json({"status": _status(200, "Success"), "data": [found]})
        return as_json(found)

    def _is_client(self, asked: Asked) -> bool:
        return asked.headers.get("authorization", "").removeprefix("bearer:") in self._tokens

    def _assertion(self, asked: Asked) -> Answer:
        body = asked.json
        if set(body) != {"username_or_email", "password", "app_id", "subdomain"}:
            return self._refuse(400, "Bad Request")
        self.passwords_seen += 1
        if (body["app_id"], body["subdomain"]) != (APP_ID, SUBDOMAIN):
            return self._refuse(404, "App not found")
        person = self.world.people.get(body["username_or_email"].partition("@")[0])
        if person is None or person.password != body["password"]:
            return self._refuse(401, "Authentication Failed: Invalid user credentials")
        if person.disabled:
            return self._refuse(401, "User is locked. Access is unauthorized")
        if self.devices.get(person.name):
            return self._ask(State(person))
        return self._done(person)

    def _ask(self, state: State) -> Answer:
        devices = [
            {"device_id": 666666 + number, "device_type": kind}
            for number, kind in enumerate(self.devices[state.person.name])
        ]
        found = {
            "state_token": self._keep(state),
            "devices": devices,
            "callback_url": "https://api.us.onelogin.com/api/2/saml_assertion/verify_factor",
        }
        message = "MFA is required for this user"
        if self.v1:
            return as_json({"status": _status(200, message), "data": [found]})
        return as_json({"message": message, **found})

    def _keep(self, state: State) -> str:
        token = secrets.token_hex(20)
        self._states[token] = state
        return token

    def _verify(self, asked: Asked) -> Answer:
        body = asked.json
        state = self._states.pop(str(body.get("state_token")), None)
        if state is None or body.get("app_id") != APP_ID:
            return self._refuse(401, "The state token is invalid or expired")
        offered = self.devices[state.person.name]
        number = int(body["device_id"]) - 666666
        if not isinstance(body["device_id"], str) or number not in range(len(offered)):
            return self._refuse(400, "The device is unknown")
        code = body.get("otp_token")
        if code is not None:
            return self._code(state, str(code))
        if "Protect" in offered[number]:
            return self._push(state, notify=not body.get("do_not_notify"))
        if "SMS" not in offered[number]:
            return self._refuse(400, "otp_token is required")
        if state.sent:
            return self._refuse(400, "A code was sent already")
        state.sent = self.sent[state.person.name] = f"{secrets.randbelow(10**6):06}"
        return as_json({"message": "SMS token sent", "state_token": self._keep(state)})

    def _push(self, state: State, *, notify: bool) -> Answer:
        if notify == state.pushed:
            return self._refuse(400, "One push and then polls")
        state.pushed = True
        if notify:
            self.pushes += 1
        else:
            state.polls += 1
            self.polls += 1
        if state.polls < self.push_after:
            message = "Authentication pending on OL Protect"
            return as_json({"message": message, "state_token": self._keep(state)})
        if self.push_denied:
            return self._refuse(401, "Authentication denied by the user")
        return self._done(state.person)

    def _code(self, state: State, code: str) -> Answer:
        person = state.person
        device = person.totp
        right = state.sent and code == state.sent
        if right or (device and device.accepts(code, self.world.now())):
            return self._done(person)
        state.wrong_codes += 1
        if state.wrong_codes >= MOST_CODES:
            return self._refuse(401, "Too many wrong codes")
        more: dict[str, Any] = {"state_token": self._keep(state)}
        return self._refuse(401, "Failed authentication with this factor", **more)

    def _done(self, person: Person) -> Answer:
        encoded = self.idp.assertion(person)
        if self.v1:
            return as_json({"status": _status(200, "Success"), "data": encoded})
        return as_json({"message": "Success", "data": encoded})

    def _refuse(self, status: int, message: str, **more: Any) -> Answer:
        if self.v1:
            return as_json({"status": _status(status, message), **more}, status)
        name = {400: "BadRequest", 401: "Unauthorized", 404: "NotFound"}[status]
        return as_json({"statusCode": status, "name": name, "message": message, **more}, status)


def _status(code: int, message: str) -> dict[str, Any]:
    kind = "success" if code < 400 else "bad request"
    return {"error": code >= 400, "code": code, "type": kind, "message": message}
