"""Okta, both engines. Strict: a state token is good once and each reply brings another; codes and
session tokens are single-use; three wrong codes lock the transaction; polls and posts are counted.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import urlsplit

from tests.sandbox.form_idp import FormIdp
from tests.sandbox.okta_idx import OktaIdx
from tests.sandbox.relying_party import RelyingParty, unpadded
from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.world import Person, World

APP = "/home/amazon_aws/0oa1/272"
APP_ID = "0oa1"
CLIENT_ID = "0oaclient"
MOST_CODES = 3
SCOPE = "openid okta.apps.sso okta.apps.read okta.users.read.self"


@dataclass
class Transaction:
    """One way through the authn API."""

    person: Person | None
    status: str
    factor: dict[str, Any] | None = None
    wrong_codes: int = 0
    polls: int = 0
    step_up: bool = False


@dataclass
class Device:
    """One device authorization."""

    code: str
    user_code: str
    client: str
    person: str | None = None
    denied: bool = False
    polls: int = 0


@dataclass
class Okta:
    """The org.

    Knobs: `pipeline`; `factors` (by person: factorType or (factorType, profile)); `status` (by
    person: what the password leads to); `push_after` polls comes `push_result` with `push_number`;
    `step_up` (the app wants a factor); `remembers`; for the engine `approves` (who confirms at
    which poll), `slow_down`, `assurance_missing`.
    """

    world: World
    idp: FormIdp
    url: str = ""
    pipeline: str = "v1"
    factors: dict[str, list[Any]] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    push_after: int = 2
    push_result: str = "SUCCESS"
    push_number: int | None = None
    answer: str = "fluffy"
    step_up: bool = False
    skippable: bool = True
    foreign_links: str = ""
    approves: str | None = "ann"
    approves_at: int = 2
    slow_down: bool = False
    assurance_missing: bool = False
    site: RelyingParty = field(default_factory=RelyingParty)
    idx: OktaIdx | None = None
    passwords_seen: int = 0
    polls: int = 0
    sent: dict[str, str] = field(default_factory=dict)
    remembered: set[tuple[str, str]] = field(default_factory=set)
    _transactions: dict[str, Transaction] = field(default_factory=dict)
    _session_tokens: dict[str, Person] = field(default_factory=dict)
    _sessions: dict[str, Person] = field(default_factory=dict)
    _stepped: set[str] = field(default_factory=set)
    _devices: dict[str, Device] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _web_tokens: dict[str, str] = field(default_factory=dict)

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self.world.lock:
            if asked.path.startswith("/api/v1/authn"):
                return self._authn(asked)
            if self.idx and self.pipeline == "idx" and asked.path.startswith("/idp/idx/"):
                return self.idx.handle(asked)
            routes = {
                ("GET", "/.well-known/okta-organization"): self._organization,
                ("GET", "/login/sessionCookieRedirect"): self._redirect,
                ("GET", "/login/step-up/redirect"): self._stepped_up,
                ("GET", "/login/token/redirect"): self._signed_in_by_idx,
                ("GET", APP): self._app,
                ("POST", "/oauth2/v1/device/authorize"): self._authorize,
                ("POST", "/oauth2/v1/token"): self._token,
                ("GET", "/api/v1/users/me/appLinks"): self._app_links,
                ("POST", "/login/token/sso"): self._sso,
            }
            route = routes.get((asked.method, asked.path))
            return route(asked) if route else html("<title>Not found</title>", 404)

    # The authn API

    def _authn(self, asked: Asked) -> Answer:
        if asked.method != "POST" or "json" not in asked.headers.get("content-type", ""):
            return _error(415, "E0000021", "Bad media type")
        body = asked.json
        if asked.path == "/api/v1/authn":
            return self._primary(asked, body)
        transaction = self._transactions.pop(str(body.get("stateToken")), None)
        if transaction is None or self.pipeline == "idx":
            return _error(401, "E0000011", "Invalid token provided")
        if asked.path == "/api/v1/authn/skip" and transaction.status in {
            "PASSWORD_WARN",
            "MFA_ENROLL",
        }:
            return self._succeed(transaction, asked)
        parts = asked.path.split("/")
        if len(parts) == 7 and parts[4] == "factors" and parts[6] == "verify":
            return self._verify(asked, transaction, parts[5], body)
        return _error(404, "E0000022", "The endpoint does not support the provided HTTP method")

    def _primary(self, asked: Asked, body: dict[str, Any]) -> Answer:
        if set(body) == {"stateToken"}:
            transaction = self._transactions.pop(str(body["stateToken"]), None)
            if transaction is None or self.pipeline == "idx":
                return _error(401, "E0000011", "Invalid token provided")
            return self._state(transaction)
        if not {"username", "password"} <= set(body) <= {"username", "password", "stateToken"}:
            return _error(400, "E0000001", "Api validation failed: authRequest")
        self.passwords_seen += 1
        person = self.world.people.get(str(body["username"]).partition("@")[0])
        if person is None or person.disabled or person.password != body["password"]:
            return _error(401, "E0000004", "Authentication failed")
        status = self.status.get(person.name)
        if status:
            return self._state(Transaction(person, status))
        known = (person.name, asked.cookies.get("DT", "")) in self.remembered
        if self._factors(person) and not known:
            return self._state(Transaction(person, "MFA_REQUIRED"))
        return self._succeed(Transaction(person, "SUCCESS"), asked)

    def _factors(self, person: Person) -> list[dict[str, Any]]:
        found = []
        for number, given in enumerate(self.factors.get(person.name, [])):
            kind, profile = given if isinstance(given, tuple) else (given, {})
            href = f"{self.foreign_links or self.url}/api/v1/authn/factors/f{number}/verify"
            found.append(
                {
                    "id": f"f{number}",
                    "factorType": kind,
                    "provider": "FIDO" if kind == "webauthn" else "OKTA",
                    "profile": profile,
                    "_links": {"verify": {"href": href, "hints": {"allow": ["POST"]}}},
                }
            )
        return found

    def _state(self, transaction: Transaction, result: str = "") -> Answer:
        token = "00" + secrets.token_urlsafe(16) + "-x"
        self._transactions[token] = transaction
        document: dict[str, Any] = {"stateToken": token, "status": transaction.status}
        embedded: dict[str, Any] = {}
        if transaction.status == "MFA_REQUIRED" and transaction.person:
            embedded["factors"] = self._factors(transaction.person)
        if transaction.factor:
            factor = {k: v for k, v in transaction.factor.items() if k != "_links"}
            if factor["factorType"] == "push" and self.push_number is not None and result:
                factor["_embedded"] = {"challenge": {"correctAnswer": self.push_number}}
            if factor["factorType"] == "webauthn" and transaction.person:
                challenge = self.site.challenge(transaction.person.name)
                wish = {"extensions": {}, "userVerification": self.site.verification}
                factor["_embedded"] = {"challenge": {"challenge": challenge, **wish}}
            embedded["factor"] = factor
            document["_links"] = {"next": {"name": "verify", **self._href(transaction.factor)}}
        if result:
            document["factorResult"] = result
        if transaction.status == "PASSWORD_WARN":
            embedded["policy"] = {"expiration": {"passwordExpireDays": 5}}
        if transaction.status in {"PASSWORD_WARN", "MFA_ENROLL"} and self.skippable:
            document["_links"] = {"skip": {"href": f"{self.url}/api/v1/authn/skip"}}
        return as_json({**document, "_embedded": embedded})

    @staticmethod
    def _href(factor: dict[str, Any]) -> dict[str, Any]:
        return dict(factor["_links"]["verify"])

    def _verify(
        self, asked: Asked, transaction: Transaction, name: str, body: dict[str, Any]
    ) -> Answer:
        assert transaction.person
        known = {factor["id"]: factor for factor in self._factors(transaction.person)}
        factor = known.get(name)
        if factor is None:
            return _error(404, "E0000007", "Not found: Resource not found")
        if transaction.wrong_codes >= MOST_CODES:
            return _error(403, "E0000069", "User Locked")
        transaction.factor = factor
        kind = factor["factorType"]
        if kind == "push":
            return self._push(asked, transaction)
        if kind == "webauthn":
            return self._webauthn(asked, transaction, body)
        given = body.get("answer" if kind == "question" else "passCode")
        if given is None:
            if kind not in {"sms", "call", "email"}:
                return _error(400, "E0000001", "Api validation failed: passCode")
            if transaction.status == "MFA_CHALLENGE":
                return _error(429, "E0000109", "A code was recently sent. Please wait 30 seconds.")
            self.sent[transaction.person.name] = f"{secrets.randbelow(10**6):06}"
            transaction.status = "MFA_CHALLENGE"
            return self._state(transaction)
        if self._is_right(transaction.person, kind, str(given)):
            return self._succeed(transaction, asked)
        transaction.wrong_codes += 1
        self._transactions[str(body["stateToken"])] = transaction
        cause = "Your answer doesn't match our records." if kind == "question" else (
            "Your token doesn't match our records. Please try again."
        )  # fmt: skip
        return _error(403, "E0000068", "Invalid Passcode/Answer", cause)

    def _webauthn(self, asked: Asked, transaction: Transaction, body: dict[str, Any]) -> Answer:
        assert transaction.person
        person = transaction.person.name
        names = ("clientData", "authenticatorData", "signatureData")
        if transaction.status != "MFA_CHALLENGE" and set(body) == {"stateToken"}:
            transaction.status = "MFA_CHALLENGE"
            return self._state(transaction, "CHALLENGE")
        if set(body) != {"stateToken", *names} or any("_" in body[name] for name in names):
            return _error(400, "E0000001", "Api validation failed: clientData")
        client, data, signature = (unpadded(body[name]) for name in names)
        if self.site.why_not(person, None, client, data, signature):
            return _error(403, "E0000068", "Invalid Passcode/Answer", "WebAuthn failed.")
        return self._succeed(transaction, asked)

    def _is_right(self, person: Person, kind: str, given: str) -> bool:
        if kind == "question":
            return given == self.answer
        if kind in {"sms", "call", "email"}:
            return given == self.sent.pop(person.name, None)
        return bool(person.totp and person.totp.accepts(given, self.world.now()))

    def _push(self, asked: Asked, transaction: Transaction) -> Answer:
        if transaction.status != "MFA_CHALLENGE":
            transaction.status = "MFA_CHALLENGE"
            return self._state(transaction, "WAITING")
        transaction.polls += 1
        self.polls += 1
        if transaction.polls < self.push_after:
            return self._state(transaction, "WAITING")
        if self.push_result == "SUCCESS":
            return self._succeed(transaction, asked)
        return self._state(transaction, self.push_result)

    def _succeed(self, transaction: Transaction, asked: Asked) -> Answer:
        person = transaction.person
        assert person
        device = asked.cookies.get("DT", "")
        if asked.query.get("rememberDevice") == "true" and device:
            self.remembered.add((person.name, device))
        if transaction.step_up:
            transaction.status = "SUCCESS"
            token = "00" + secrets.token_urlsafe(16)
            self._transactions[token] = transaction
            href = f"{self.url}/login/step-up/redirect?stateToken={token}"
            return as_json({"status": "SUCCESS", "_links": {"next": {"href": href}}})
        token = "20" + secrets.token_urlsafe(16)
        self._session_tokens[token] = person
        return as_json({"status": "SUCCESS", "sessionToken": token, "_embedded": {}})

    # Session and app

    def _organization(self, asked: Asked) -> Answer:
        return as_json({"id": "00o1", "pipeline": self.pipeline, "_links": {}})

    def _redirect(self, asked: Asked) -> Answer:
        person = self._session_tokens.pop(asked.query.get("token", ""), None)
        target = asked.query.get("redirectUrl", "")
        if person is None or not target.startswith(f"{self.url}/"):
            return html("<title>Sign In</title><body id=login>", 403)
        if asked.query.get("checkAccountSetupComplete") != "true":
            return html("<title>Bad request</title>", 400)
        sid = secrets.token_urlsafe(16)
        self._sessions[sid] = person
        device = asked.cookies.get("DT") or secrets.token_urlsafe(12)
        cookies = f"sid={sid}; Path=/; Secure; HttpOnly\nDT={device}; Path=/; Secure"
        return Answer(302, "", {"Location": target, "Set-Cookie": cookies})

    def _app(self, asked: Asked) -> Answer:
        sid = asked.cookies.get("sid", "")
        person = self._sessions.get(sid)
        if person is None:
            token = self.idx.started() if self.idx and self.pipeline == "idx" else ""
            hidden = f"var stateToken = '{token.replace('-', chr(92) + 'x2D')}';" if token else ""
            return html(f"<title>Corp - Sign In</title><body id=login><script>{hidden}</script>")
        if self.step_up and sid not in self._stepped:
            token = "00" + secrets.token_urlsafe(16) + "-y"
            if self.idx and self.pipeline == "idx":
                token = self.idx.started(person)
            self._transactions[token] = Transaction(person, "MFA_REQUIRED", step_up=True)
            hidden = token.replace("-", "\\x2D")
            return html(
                "<title>Corp - Extra Verification</title><script>\n"
                f"var stateToken = '{hidden}';\nvar other = 'a';</script>"
            )
        if not person.roles:
            return html("<title>Corp - You're not allowed</title><body id=denied>", 403)
        return self._saml(person)

    def _signed_in_by_idx(self, asked: Asked) -> Answer:
        person = self.idx.spent(asked.query.get("stateToken", "")) if self.idx else None
        if person is None:
            return html("<title>Error</title>", 403)
        sid = secrets.token_urlsafe(16)
        self._sessions[sid] = person
        if asked.cookies.get("sid") in self._sessions:
            self._stepped.add(sid)
        cookie = f"sid={sid}; Path=/; Secure; HttpOnly"
        return Answer(302, "", {"Location": APP, "Set-Cookie": cookie})

    def _stepped_up(self, asked: Asked) -> Answer:
        transaction = self._transactions.pop(asked.query.get("stateToken", ""), None)
        if transaction is None or transaction.status != "SUCCESS":
            return html("<title>Error</title>", 403)
        self._stepped.add(asked.cookies.get("sid", ""))
        return Answer(302, "", {"Location": APP})

    def _saml(self, person: Person) -> Answer:
        encoded = escape(self.idp.assertion(person)).replace("+", "&#x2b;").replace("=", "&#x3d;")
        return html(
            '<title>Working</title><form id="appForm" method="POST"'
            f' action="{self.idp.acs.replace("/", "&#x2f;")}">'
            f'<input name="SAMLResponse" type="hidden" value="{encoded}"/>'
            '<input name="RelayState" type="hidden" value=""/></form>'
        )

    # Identity Engine

    def _authorize(self, asked: Asked) -> Answer:
        if asked.form.get("client_id") != CLIENT_ID or asked.form.get("scope") != SCOPE:
            return as_json(
                {"error": "invalid_client", "error_description": "Invalid value for 'client_id'."},
                401,
            )
        device = Device(secrets.token_urlsafe(16), "ABCDWXYZ", CLIENT_ID)
        self._devices[device.code] = device
        return as_json(
            {
                "device_code": device.code,
                "user_code": device.user_code,
                "verification_uri": f"{self.url}/activate",
                "verification_uri_complete": f"{self.url}/activate?user_code=ABCDWXYZ",
                "expires_in": 600,
                "interval": 5,
            }
        )

    def _token(self, asked: Asked) -> Answer:
        form = asked.form
        if form.get("client_id") != CLIENT_ID:
            return _oauth("invalid_client", "The client id is unknown.", 401)
        if form.get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code":
            return self._device_token(form)
        if form.get("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange":
            return self._exchange(form)
        return _oauth("unsupported_grant_type", "Not this grant.")

    def _device_token(self, form: dict[str, str]) -> Answer:
        device = self._devices.get(form.get("device_code", ""))
        if device is None:
            return _oauth("invalid_grant", "The device code is invalid.")
        device.polls += 1
        self.polls += 1
        if self.slow_down and device.polls == 1:
            return _oauth("slow_down", "Too fast.")
        if self.approves == "nobody":
            return _oauth("access_denied", "The resource owner denied the request.")
        if self.approves is None or device.polls < self.approves_at:
            return _oauth("authorization_pending", "The device authorization is pending.")
        del self._devices[device.code]
        access, identity = secrets.token_urlsafe(20), secrets.token_urlsafe(20)
        self._tokens |= {access: self.approves, identity: self.approves}
        return as_json(
            {
                "access_token": access,
                "id_token": identity,
                "token_type": "Bearer",
                "expires_in": 3600,
                "scope": SCOPE,
            }
        )

    def _exchange(self, form: dict[str, str]) -> Answer:
        kind = "urn:ietf:params:oauth:token-type:"
        wanted = {
            "actor_token_type": f"{kind}access_token",
            "subject_token_type": f"{kind}id_token",
            "requested_token_type": "urn:okta:oauth:token-type:web_sso_token",
        }
        if any(form.get(name) != value for name, value in wanted.items()):
            return _oauth("invalid_request", "Wrong token types.")
        who = self._tokens.get(form.get("actor_token", ""))
        if who is None or self._tokens.get(form.get("subject_token", "")) != who:
            return _oauth("invalid_grant", "The 'subject_token' either expired or is over.")
        if form.get("audience") != f"urn:okta:apps:{APP_ID}":
            return _oauth("invalid_target", "The audience is invalid.")
        if self.assurance_missing:
            return _oauth(
                "invalid_grant",
                "The application's assurance requirements are not met by the 'subject_token'.",
            )
        token = secrets.token_urlsafe(20)
        self._web_tokens[token] = who
        return as_json({"access_token": token, "token_type": "N_A", "expires_in": 60})

    def end_sessions(self) -> None:
        """The browser session that tokens came from is over."""
        self._tokens.clear()

    def _app_links(self, asked: Asked) -> Answer:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self._tokens:
            return _error(401, "E0000011", "Invalid token provided")
        link = {"label": "AWS", "appName": "amazon_aws", "appInstanceId": APP_ID}
        return as_json([link, {"label": "Mail", "appName": "google", "appInstanceId": "0oa2"}])

    def _sso(self, asked: Asked) -> Answer:
        who = self._web_tokens.pop(asked.form.get("token", ""), None)
        if who is None or urlsplit(asked.raw_path).query:
            return html("<title>Error</title>", 403)
        return self._saml(self.world.people[who])


def _error(status: int, code: str, summary: str, cause: str = "") -> Answer:
    causes = [{"errorSummary": cause}] if cause else []
    document = {"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae1"}
    return as_json({**document, "errorCauses": causes}, status)


def _oauth(code: str, said: str, status: int = 400) -> Answer:
    return as_json({"error": code, "error_description": said}, status)
