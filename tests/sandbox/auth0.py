"""Auth0: the classic page with its JSON, and Universal Login. Strict: state and CSRF token are good
once, the script's headers are demanded, what comes back opens the app once.
"""

from __future__ import annotations

import base64
import json
from html import escape
from typing import Any

from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.twin import Twin
from tests.sandbox.world import Person

CLIENT = "c1ient"
APP = f"/samlp/{CLIENT}"
MOST_CODES = 3
_FIELDS = {
    "client_id", "connection", "password", "popup_options", "protocol", "redirect_uri",
    "response_type", "scope", "sso", "state", "tenant", "username", "_csrf", "_intstate",
}  # fmt: skip


class Auth0(Twin):
    """The tenant. Factors of a habit: `otp`, `push`, `webauthn`, `enroll`, `consent`.

    Knobs: `universal` (the new pages), `identifier_first`, `connections`, `refuses` (what a right
    password is answered with: status and JSON), `captcha`.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.universal = False
        self.identifier_first = False
        self.captcha = False
        self.connections = ["Username-Password-Authentication"]
        self.refuses: tuple[int, dict[str, Any]] | None = None
        self.wrong_codes = 0

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self.world.lock:
            routes = {
                ("GET", APP): self._start,
                ("GET", f"/cdn/client/{CLIENT}.js"): self._client,
                ("POST", "/usernamepassword/login"): self._login,
                ("POST", "/login/callback"): self._callback,
            }
            if asked.path.startswith("/u/"):
                return self._page(asked)
            route = routes.get((asked.method, asked.path))
            return route(asked) if route else html("<title>Not found</title>", 404)

    # The classic page

    def _start(self, asked: Asked) -> Answer:
        if self.universal:
            name = "identifier" if self.identifier_first else ""
            return self._to(f"/u/login/{name}".rstrip("/"))
        token = self.token()
        parameters = {"protocol": "samlp", "state": token, "_csrf": token[::-1]}
        settings = {
            "auth0Domain": "corp.auth0.com",
            "auth0Tenant": "corp",
            "clientConfigurationBaseUrl": f"{self.url.removesuffix(APP)}/cdn/",
            "callbackURL": self.acs,
            "clientID": CLIENT,
            "extraParams": parameters | {"_intstate": "deprecated"},
            "dict": {"signin": {"title": "Anmelden – Körp"}},
        }
        packed = base64.b64encode(json.dumps(settings).encode()).decode()
        return html(
            "<title>Sign In with Auth0</title><div id=root></div><script>\n"
            f"var config = JSON.parse(decodeURIComponent(escape(window.atob('{packed}'))));\n"
            "var lock = new Auth0Lock(config.clientID, config.auth0Domain);</script>"
        )

    def _client(self, asked: Asked) -> Answer:
        names = [{"name": name} for name in self.connections]
        found = {
            "id": CLIENT,
            "tenant": "corp",
            "strategies": [
                {"name": "google-oauth2", "connections": [{"name": "google-oauth2"}]},
                {"name": "auth0", "connections": names},
            ],
        }
        return Answer(200, f"Auth0.setClient({json.dumps(found)});")

    def _login(self, asked: Asked) -> Answer:
        body = asked.json
        headers = asked.headers
        if set(body) != _FIELDS or not headers.get("auth0-client") or not headers.get("origin"):
            return as_json({"code": "invalid_request"}, 400)
        known = self.spent(body["state"])
        if known is None or body["_csrf"] != body["state"][::-1]:
            return as_json({"code": "invalid_csrf", "description": "Invalid CSRF"}, 403)
        if body["client_id"] != CLIENT or body["connection"] not in self.connections:
            return as_json({"code": "bad.connection", "description": "No such connection"}, 400)
        person = self.person(body["username"], body["password"])
        if person is None:
            wrong = {"code": "invalid_user_password", "name": "ValidationError"}
            return as_json(wrong | {"description": "Wrong email or password."}, 401)
        if self.refuses:
            return as_json(self.refuses[1], self.refuses[0])
        fields = {"wa": "wsignin1.0", "wresult": self.token(person=person), "wctx": '{"a":"b"}'}
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">'
            for name, value in fields.items()
        )
        action = f"{self.url.removesuffix(APP)}/login/callback"
        return html(f'<form method="post" name="hiddenform" action="{action}">{hidden}</form>')

    def _callback(self, asked: Asked) -> Answer:
        fields = asked.form
        known = self.spent(fields.get("wresult"))
        if known is None or fields.get("wctx") != '{"a":"b"}':
            return self.stray("a used result")
        return self._after(known["person"])

    def _after(self, person: Person) -> Answer:
        """What comes after the password."""
        factor = self.habit(person).factor
        pages = {
            "otp": "mfa-otp-challenge",
            "push": "mfa-push-challenge-push",
            "webauthn": "mfa-webauthn-roaming-challenge",
            "enroll": "mfa-otp-enrollment-qr",
            "consent": "consent",
        }
        return self._to(f"/u/{pages[factor]}", person=person) if factor else self.done(person)

    # Universal Login

    def _to(self, path: str, **state: Any) -> Answer:
        return Answer(302, "", {"Location": f"{path}?state={self.token(**state)}"})

    def _page(self, asked: Asked) -> Answer:
        name = asked.path.removeprefix("/u/")
        if asked.method == "GET":
            state = self._tokens.get(asked.query.get("state", ""))
            return self._shown(name, asked.query.get("state", ""), state or {})
        fields = asked.form
        state = self.spent(fields.get("state"))
        if state is None or fields.get("state") != asked.query.get("state"):
            return self.stray("a used state")
        if name.startswith("login"):
            return self._universal_login(name, fields, state)
        person: Person = state["person"]
        if fields.get("action") == "pick-authenticator":
            return self._to("/u/mfa-login-options", person=person)
        if name == "mfa-login-options":
            page = {"otp-0": "mfa-otp-challenge"}.get(fields.get("action", ""))
            return self._to(f"/u/{page}", person=person) if page else self.stray("no such method")
        if name == "consent":
            agreed = fields.get("action") == "accept"
            return self.done(person) if agreed else html("<title>Denied</title>", 403)
        if name != "mfa-otp-challenge" or fields.get("action") != "default":
            return self.stray(f"{fields.get('action')} at {name}")
        if self.accepts(person, fields.get("code")):
            return self.done(person)
        token = self.token(person=person)
        return self._shown(name, token, {"person": person}, "Der Code ist ungültig")

    def _universal_login(self, name: str, fields: dict[str, str], state: dict[str, Any]) -> Answer:
        if fields.get("action") != "default":
            return self.stray("not the default action")
        if name == "login/identifier":
            return self._to("/u/login/password", username=fields.get("username"))
        person = self.person(state.get("username") or fields.get("username"), fields["password"])
        if person is None:
            token = self.token(**state)
            return self._shown(name, token, state, "Falscher Benutzername oder Passwort")
        return self._after(person)

    def _shown(self, name: str, token: str, state: dict[str, Any], error: str = "") -> Answer:
        said = f"<span class=ulp-input-error-message id=error-element>{error}</span>"
        user = "<input name=username id=username type=text autocomplete=username>"
        password = "<input name=password id=password type=password>"
        other = "<button name=action value=pick-authenticator>Andere Methode</button>"
        inputs = {
            "login": user + password,
            "login/identifier": user,
            "login/password": f"<input name=username value=x hidden>{password}",
            "mfa-otp-challenge": f"<input name=code id=code type=text inputmode=numeric>{other}",
            "mfa-push-challenge-push": other,
            "mfa-webauthn-roaming-challenge": other,
            "mfa-otp-enrollment-qr": "<input name=code type=text>",
        }
        if name == "mfa-login-options":
            buttons = "<button name=action value=otp-0>Google Authenticator</button>"
            buttons += "<button name=action value=sms-1>SMS</button>"
        elif name == "consent":
            buttons = "<button name=action value=deny>Ablehnen</button>"
            buttons += "<button name=action value=accept>Annehmen</button>"
        else:
            buttons = inputs[name] + "<button name=action value=default>Weiter</button>"
        captcha = "<div class=ulp-captcha data-captcha-provider=auth0><input name=captcha></div>"
        social = (
            f"<form method=post data-provider=google><input type=hidden name=state value='{token}'>"
            "<input type=hidden name=connection value=google-oauth2><button>Google</button></form>"
        )
        return html(
            f"<title>Anmelden | Körp</title><h1>Körp</h1>{said if error else ''}"
            "<form method=POST data-form-primary=true>"
            f"<input type=hidden name=state value='{token}'>"
            "<input type=hidden name=js-available value=false>"
            f"{captcha if self.captcha else ''}{buttons}</form>"
            f"{social if name.startswith('login') else ''}",
            400 if error else 200,
        )
