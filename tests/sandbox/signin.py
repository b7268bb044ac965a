"""AWS sign-in: the federation endpoint. Source: IAM User Guide, "custom identity broker"."""

from __future__ import annotations

import json
import secrets

from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.world import HOUR, World


class Signin:
    """Gives sign-in tokens for live credentials, and takes each once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.tokens: dict[str, str] = {}
        self.opened: list[tuple[str, str]] = []

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        fields = asked.form if asked.method == "POST" else asked.query
        if asked.path != "/federation":
            return html("<h1>AWS</h1>", 404)
        with self._world.lock:
            if fields.get("Action") == "getSigninToken":
                return self._token(fields)
            if fields.get("Action") == "login":
                return self._login(fields)
        return html("<h1>Bad request</h1>", 400)

    def _token(self, fields: dict[str, str]) -> Answer:
        try:
            session = json.loads(fields["Session"])
            keys = self._world.keys[session["sessionId"]]
            good = (keys.secret, keys.token) == (session["sessionKey"], session["sessionToken"])
        except (ValueError, KeyError):
            return html("<h1>Invalid session</h1>", 400)
        live = keys.expires is not None and keys.expires > self._world.now()
        if not good or not live or keys.kind == "session":
            return html("<h1>Invalid session</h1>", 400)
        if "SessionDuration" in fields:
            seconds = int(fields["SessionDuration"])
            if keys.kind != "role" or not 900 <= seconds <= 12 * HOUR:
                return html("<h1>Invalid duration</h1>", 400)
        token = secrets.token_urlsafe(60)
        self.tokens[token] = keys.arn
        return as_json({"SigninToken": token})

    def _login(self, fields: dict[str, str]) -> Answer:
        arn = self.tokens.pop(fields.get("SigninToken", ""), None)
        if arn is None:
            return html("<h1>Token expired</h1>", 400)
        self.opened.append((arn, fields["Destination"]))
        return Answer(302, "", {"Location": fields["Destination"], "Set-Cookie": "aws-userInfo=1"})
