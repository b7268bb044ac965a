"""AWS sign-in: the federation endpoint, the SAML endpoint, and `aws login`'s.

Source: IAM User Guide, "Enable custom identity broker access" and "SAML 2.0 federation".
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from html import escape

from tests.sandbox import saml
from tests.sandbox.console_login import ConsoleLogin
from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.sigv4 import RefusedError
from tests.sandbox.world import HOUR, World

TOKEN_LIFE = 900
_CONSOLE = re.compile(
    r"https://(?:[a-z0-9-]+\.)*"
    r"(?:aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com|amazonaws-eusc\.eu)(?:/.*)?"
)


class Signin:
    """Gives sign-in tokens for live credentials, and takes each once within 15 minutes.

    `opened` lists the consoles that were entered: the session's ARN and the destination.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.tokens: dict[str, tuple[str, float]] = {}
        self.opened: list[tuple[str, str]] = []
        self.console_login = ConsoleLogin(world)

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        fields = asked.form if asked.method == "POST" else asked.query
        with self._world.lock:
            if asked.path.startswith("/v1/"):
                return self.console_login.handle(asked)
            if (asked.method, asked.path) == ("POST", "/saml"):
                return self._saml(fields)
            if asked.path != "/federation":
                return html("<h1>AWS</h1>", 404)
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
        except (ValueError, KeyError, TypeError):
            return html("<h1>Invalid session</h1>", 400)
        live = keys.expires is not None and keys.expires > self._world.now()
        if not good or not live or keys.kind == "session":
            return html("<h1>Invalid session</h1>", 400)
        seconds = fields.get("SessionDuration", "900")
        if not seconds.isdecimal() or not 900 <= int(seconds) <= 12 * HOUR:
            return html("<h1>Invalid duration</h1>", 400)
        if "SessionDuration" in fields and keys.kind != "role":
            return html("<h1>Invalid duration for this session</h1>", 400)
        token = secrets.token_urlsafe(60)
        self.tokens[token] = keys.arn, self._world.now() + TOKEN_LIFE
        return as_json({"SigninToken": token})

    def _login(self, fields: dict[str, str]) -> Answer:
        destination = fields.get("Destination", "")
        if not fields.get("Issuer") or not _CONSOLE.fullmatch(destination):
            return html("<h1>Bad request</h1>", 400)
        arn, expires = self.tokens.pop(fields.get("SigninToken", ""), ("", 0.0))
        if expires <= self._world.now():
            return html("<h1>Token expired</h1>", 400)
        self.opened.append((arn, destination))
        cookie = "aws-userInfo=1; Path=/; HttpOnly"
        return Answer(302, "", {"Location": destination, "Set-Cookie": cookie})

    def _saml(self, fields: dict[str, str]) -> Answer:
        """The page on which a person picks a role, with the accounts' names in its metadata."""
        encoded = fields.get("SAMLResponse", "")
        for arn in self._world.saml_providers:
            try:
                held = saml.accept(self._world, encoded, arn)
                break
            except RefusedError:
                continue
        else:
            return html("<h1>Your request included an invalid SAML response</h1>", 400)
        roles = [role for role, _ in sorted(held.roles)]
        accounts = {role.split(":")[4] for role in roles}
        names = {account: self._world.accounts.get(account, account) for account in accounts}
        data = base64.b64encode(json.dumps(names).encode()).decode()
        choices = "".join(
            f"<p><input type=radio name=roleIndex value='{escape(role)}'>{escape(role)}"
            for role in roles
        )
        return html(
            f"<title>Amazon Web Services Sign-In</title><meta name=data content='{data}'>"
            f"<form id=saml_form method=post>{choices}</form>"
        )
