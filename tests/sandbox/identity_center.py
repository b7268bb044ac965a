"""IAM Identity Center: sso-oidc and the portal. Source: OIDC and Portal API References."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.world import HOUR, World

SCOPE = "sso:account:access"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CODE_GRANT = "authorization_code"
REFRESH_GRANT = "refresh_token"
CODE_LIFE = 600
_SCOPES = re.compile(r"[a-z]+:[a-z_]+:[a-z_]+")
LOOPBACK = {"127.0.0.1", "[::1]", "localhost"}


class OidcRefusedError(Exception):
    """`error`, its exception's name, HTTP status."""

    def __init__(self, error: str, status: int = 400, description: str = "", **more: str) -> None:
        super().__init__(error)
        self.more = more
        self.error = error
        self.status = status
        self.description = description


@dataclass
class Client:
    """A registered client."""

    client_id: str
    secret: str
    expires: float
    scopes: tuple[str, ...]
    grants: tuple[str, ...]
    redirects: tuple[str, ...]

    def may(self, grant: str) -> bool:
        """Whether it registered for a grant; without any it has all but authorization codes."""
        return grant in self.grants if self.grants else grant != CODE_GRANT


@dataclass
class Device:
    """A device authorization."""

    code: str
    user_code: str
    client_id: str
    expires: float
    interval: float
    state: str = "pending"
    person: str = ""
    polled: float | None = None
    polls: int = 0


@dataclass
class Code:
    """An authorization code of the PKCE flow."""

    client_id: str
    redirect: str
    challenge: str
    person: str
    expires: float


@dataclass
class Token:
    """An access token and what it was made of."""

    person: str
    client_id: str
    expires: float
    session: str


class Oidc:
    """sso-oidc and its pages.

    Knobs: `interval` and `device_life` (seconds), `speed` (of the clients' clocks), `slow_downs`
    (polls to refuse whatever their pace), `portal_session` (seconds that refreshing lasts),
    `auto_approve` (who confirms by himself after the first poll, or at once in the browser),
    `right_region` (the instance is there instead).
    """

    def __init__(self, world: World, url: str = "") -> None:
        self.world = world
        self.url = url
        self.start_url = ""
        self.interval = 1.0
        self.speed = 1.0
        self.slow_downs = 0
        self.device_life = 600.0
        self.portal_session = 8 * HOUR
        self.auto_approve: str | None = None
        self.right_region: str | None = None
        self.clients: dict[str, Client] = {}
        self.devices: dict[str, Device] = {}
        self.codes: dict[str, Code] = {}
        self.tokens: dict[str, Token] = {}
        self.refresh: dict[str, tuple[str, str, float, str]] = {}

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        routes = {
            ("POST", "/client/register"): self._register,
            ("POST", "/device_authorization"): self._authorize_device,
            ("POST", "/token"): self._token,
            ("GET", "/authorize"): self._authorize,
            ("POST", "/authorize"): self._authorize,
            ("GET", "/device"): self._device_page,
            ("POST", "/device"): self._device_decision,
        }
        route = routes.get((asked.method, asked.path))
        if route is None:
            return as_json({"message": "not found"}, 404)
        with self.world.lock:
            try:
                return route(asked)
            except OidcRefusedError as refused:
                name = "".join(part.capitalize() for part in refused.error.split("_"))
                name = "InvalidRequestRegion" if refused.more else name
                return as_json(
                    {"error": refused.error, "error_description": refused.description}
                    | refused.more,
                    refused.status,
                    **{"x-amzn-ErrorType": f"{name}Exception"},
                )

    def approve(self, user_code: str, person: str = "ann") -> None:
        """The person confirms the code in a browser.

        Raises:
            KeyError: No such person, or no such code that is still open.
        """
        self._decide(user_code, "approved", self.world.people[person].name)

    def deny(self, user_code: str) -> None:
        """The person denies it.

        Raises:
            KeyError: No such code that is still open.
        """
        self._decide(user_code, "denied", "")

    def _decide(self, user_code: str, state: str, person: str) -> None:
        with self.world.lock:
            for device in self.devices.values():
                if (device.user_code, device.state) == (user_code, "pending"):
                    device.state, device.person = state, person
                    return
        raise KeyError(user_code)

    def _register(self, asked: Asked) -> Answer:
        body = _body(asked)
        if body.get("clientType") != "public" or not body.get("clientName"):
            raise OidcRefusedError("invalid_client_metadata")
        grants, redirects = body.get("grantTypes") or (), body.get("redirectUris") or ()
        if not {*grants} <= {DEVICE_GRANT, CODE_GRANT, REFRESH_GRANT}:
            raise OidcRefusedError("unsupported_grant_type")
        if not all(_SCOPES.fullmatch(scope) for scope in body.get("scopes") or ()):
            raise OidcRefusedError("invalid_scope")
        if CODE_GRANT in grants:
            if not redirects or not all(_on_loopback(redirect) for redirect in redirects):
                raise OidcRefusedError("invalid_redirect_uri")
            if not self._is_start_url(body.get("issuerUrl")):
                raise OidcRefusedError("invalid_request", 400, "invalid issuer url")
        made = Client(
            client_id=secrets.token_urlsafe(16),
            secret=secrets.token_urlsafe(64),
            expires=self.world.now() + 90 * 24 * HOUR,
            scopes=tuple(body.get("scopes") or ()),
            grants=tuple(grants),
            redirects=tuple(redirects),
        )
        self.clients[made.client_id] = made
        return as_json(
            {
                "clientId": made.client_id,
                "clientSecret": made.secret,
                "clientIdIssuedAt": int(self.world.now()),
                "clientSecretExpiresAt": int(made.expires),
                "authorizationEndpoint": f"{self.url}/authorize",
                "tokenEndpoint": f"{self.url}/token",
            }
        )

    def _client(self, body: dict[str, Any]) -> Client:
        client = self.clients.get(body.get("clientId", ""))
        if client is None or client.secret != body.get("clientSecret"):
            raise OidcRefusedError("invalid_client", 401)
        if client.expires <= self.world.now():
            raise OidcRefusedError("invalid_client", 401, "expired")
        return client

    def _is_start_url(self, text: Any) -> bool:
        return str(text).rstrip("/") == self.start_url

    def _authorize_device(self, asked: Asked) -> Answer:
        body = _body(asked)
        client = self._client(body)
        if not client.may(DEVICE_GRANT):
            raise OidcRefusedError("unauthorized_client")
        if self.right_region:
            raise OidcRefusedError("invalid_request", region=self.right_region)
        if not self._is_start_url(body.get("startUrl")):
            raise OidcRefusedError("invalid_request", 400, "invalid start url")
        user_code = "-".join(
            "".join(secrets.choice("BCDFGHJKLMNP") for _ in range(4)) for _ in "ab"
        )
        device = Device(
            secrets.token_urlsafe(24),
            user_code,
            client.client_id,
            self.world.now() + self.device_life,
            self.interval,
        )
        self.devices[device.code] = device
        return as_json(
            {
                "deviceCode": device.code,
                "userCode": user_code,
                "verificationUri": f"{self.url}/device",
                "verificationUriComplete": f"{self.url}/device?user_code={user_code}",
                "expiresIn": int(self.device_life),
                "interval": int(self.interval),
            }
        )

    def _token(self, asked: Asked) -> Answer:
        body = _body(asked)
        client = self._client(body)
        grants = {
            DEVICE_GRANT: self._by_device,
            CODE_GRANT: self._by_code,
            REFRESH_GRANT: self._by_refresh,
        }
        grant = body.get("grantType")
        if grant not in grants:
            raise OidcRefusedError("unsupported_grant_type")
        if not client.may(grant):
            raise OidcRefusedError("unauthorized_client")
        return grants[grant](client, body)

    def _by_device(self, client: Client, body: dict[str, Any]) -> Answer:
        device = self.devices.get(body.get("deviceCode", ""))
        if device is None or device.client_id != client.client_id:
            raise OidcRefusedError("invalid_grant")
        now = self.world.now()
        pace = device.interval * 0.9 / self.speed
        too_fast = device.polled is not None and now - device.polled < pace
        device.polled, device.polls = now, device.polls + 1
        if too_fast or self.slow_downs > 0:
            self.slow_downs = max(0, self.slow_downs - 1)
            device.interval += 5
            raise OidcRefusedError("slow_down")
        if self.auto_approve and device.polls > 1 and device.state == "pending":
            self.approve(device.user_code, self.auto_approve)
        if now >= device.expires:
            raise OidcRefusedError("expired_token")
        if device.state == "pending":
            raise OidcRefusedError("authorization_pending")
        del self.devices[device.code]
        if device.state == "denied":
            raise OidcRefusedError("access_denied")
        return self._grant(client, device.person, secrets.token_hex(8))

    def _by_code(self, client: Client, body: dict[str, Any]) -> Answer:
        code = self.codes.pop(body.get("code", ""), None)
        if code is None or code.client_id != client.client_id or code.expires <= self.world.now():
            raise OidcRefusedError("invalid_grant")
        verifier = body.get("codeVerifier", "")
        if _challenge(verifier) != code.challenge or body.get("redirectUri") != code.redirect:
            raise OidcRefusedError("invalid_grant")
        return self._grant(client, code.person, secrets.token_hex(8))

    def _by_refresh(self, client: Client, body: dict[str, Any]) -> Answer:
        kept = self.refresh.pop(body.get("refreshToken", ""), None)
        if kept is None or kept[1] != client.client_id or kept[2] <= self.world.now():
            raise OidcRefusedError("invalid_grant")
        return self._grant(client, kept[0], kept[3], until=kept[2])

    def _grant(
        self, client: Client, person: str, session: str, *, until: float | None = None
    ) -> Answer:
        now, scoped = self.world.now(), SCOPE in client.scopes
        ends = until or now + self.portal_session
        life = min(HOUR, int(ends - now)) if scoped else 8 * HOUR
        access = "aoal" + secrets.token_urlsafe(60)
        self.tokens[access] = Token(person, client.client_id, now + life, session)
        document: dict[str, Any] = {
            "accessToken": access,
            "tokenType": "Bearer",
            "expiresIn": life,
        }
        if scoped and client.may(REFRESH_GRANT):
            refresh = "aorl" + secrets.token_urlsafe(60)
            self.refresh[refresh] = (person, client.client_id, ends, session)
            document["refreshToken"] = refresh
        return as_json(document)

    def _authorize(self, asked: Asked) -> Answer:
        query = asked.query
        client = self.clients.get(query.get("client_id", ""))
        redirect = query.get("redirect_uri", "")
        if client is None or not client.may(CODE_GRANT) or client.expires <= self.world.now():
            return html("<h1>Unknown client</h1>", 400)
        if _without_port(redirect) not in client.redirects:
            return html("<h1>Wrong redirect</h1>", 400)
        good = (
            query.get("response_type") == "code"
            and query.get("code_challenge_method") == "S256"
            and len(query.get("code_challenge", "")) == len(_challenge(""))
            and query.get("state")
            and {*query.get("scopes", "").split()} == {*client.scopes}
        )
        if not good:
            return _redirect(redirect, error="invalid_request", state=query.get("state", ""))
        if asked.method == "GET" and not self.auto_approve:
            return html(
                "<title>Allow awslogin?</title><h1>Allow awslogin?</h1><form method=post>"
                "<button name=person value=ann>Allow as ann</button>"
                "<button name=deny value=1>Deny</button></form>"
            )
        if "deny" in asked.form:
            return _redirect(redirect, error="access_denied", state=query["state"])
        person = asked.form.get("person") or self.auto_approve
        if person not in self.world.people:
            return html("<h1>Unknown person</h1>", 400)
        code = secrets.token_urlsafe(24)
        self.codes[code] = Code(
            client.client_id,
            redirect,
            query["code_challenge"],
            person,
            self.world.now() + CODE_LIFE,
        )
        return _redirect(redirect, code=code, state=query["state"])

    def _device_page(self, asked: Asked) -> Answer:
        code = escape(asked.query.get("user_code", ""))
        return html(
            "<title>Confirm the code</title><h1>Confirm the code</h1><form method=post>"
            f"<input name=user_code value='{code}'>"
            "<button name=person value=ann>Confirm as ann</button>"
            "<button name=deny value=1>Deny</button></form>"
        )

    def _device_decision(self, asked: Asked) -> Answer:
        fields = asked.form
        try:
            if "deny" in fields:
                self.deny(fields.get("user_code", ""))
                return html("<title>Denied</title><h1>Request denied</h1>")
            self.approve(fields.get("user_code", ""), fields.get("person", ""))
        except KeyError:
            return html("<title>Error</title><h1>This code is not known</h1>", 400)
        return html("<title>Approved</title><h1>Request approved</h1>")


class Portal:
    """The access portal: accounts, roles, credentials, logout."""

    def __init__(self, world: World, oidc: Oidc) -> None:
        self._world = world
        self._oidc = oidc
        self._tokens = 0.0
        self._filled: float | None = None

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        with self._world.lock:
            if self.refuses(asked.at):
                return as_json(
                    {"message": "HTTP 429 Unknown Code"},
                    429,
                    **{"x-amzn-ErrorType": "TooManyRequestsException", "Retry-After": "1"},
                )
            if (asked.method, asked.path) == ("GET", "/start"):
                return html("<title>AWS access portal</title><h1>AWS access portal</h1>")
            token = self._oidc.tokens.get(asked.headers.get("x-amz-sso_bearer_token", ""))
            if token is None or token.expires <= self._world.now():
                return _portal_error(
                    401, "UnauthorizedException", "Session token not found or invalid"
                )
            routes = {
                ("POST", "/logout"): self._logout,
                ("GET", "/federation/credentials"): self._credentials,
                ("GET", "/assignment/accounts"): self._accounts,
                ("GET", "/assignment/roles"): self._roles,
            }
            route = routes.get((asked.method, asked.path))
            if route is None:
                return _portal_error(404, "ResourceNotFoundException", "no such resource")
            return route(token, asked.query)

    def refuses(self, at: float) -> bool:
        """Whether a call that arrives at `at` is too many: a bucket of `portal_rate` tokens."""
        rate = self._world.portal_rate
        if rate is None:
            return False
        if self._filled is None:
            self._tokens, self._filled = rate, at
        self._tokens = min(rate, self._tokens + (at - self._filled) * rate)
        self._filled = at
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False

    def _logout(self, token: Token, query: dict[str, str]) -> Answer:
        oidc = self._oidc
        oidc.tokens = {k: t for k, t in oidc.tokens.items() if t.session != token.session}
        oidc.refresh = {k: r for k, r in oidc.refresh.items() if r[3] != token.session}
        return Answer(200)

    def _credentials(self, token: Token, query: dict[str, str]) -> Answer:
        account, role = query.get("account_id", ""), query.get("role_name", "")
        person = self._world.people[token.person]
        if role not in person.assigned.get(account, []):
            return _portal_error(403, "ForbiddenException", "No access")
        session = f"AWSReservedSSO_{role}_0123456789abcdef/{person.name}"
        arn = f"arn:aws:sts::{account}:assumed-role/{session}"
        issued = self._world.issue(arn, HOUR, kind="role")
        self._world.granted.append(
            {"action": "GetRoleCredentials", "key_id": issued.key_id, "role": role}
        )
        assert issued.expires
        return as_json(
            {
                "roleCredentials": {
                    "accessKeyId": issued.key_id,
                    "secretAccessKey": issued.secret,
                    "sessionToken": issued.token,
                    "expiration": int(issued.expires * 1000),
                }
            }
        )

    def _accounts(self, token: Token, query: dict[str, str]) -> Answer:
        assigned = self._world.people[token.person].assigned
        rows = [
            {
                "accountId": account,
                "accountName": self._world.accounts.get(account, account),
                "emailAddress": f"{account}@corp.example",
            }
            for account in sorted(assigned)
        ]
        return self._page("accountList", rows, query)

    def _roles(self, token: Token, query: dict[str, str]) -> Answer:
        account = query.get("account_id", "")
        assigned = self._world.people[token.person].assigned
        if account not in assigned:
            return _portal_error(404, "ResourceNotFoundException", "Account not found")
        rows = [{"roleName": role, "accountId": account} for role in assigned[account]]
        return self._page("roleList", rows, query)

    def _page(self, name: str, rows: list[dict[str, str]], query: dict[str, str]) -> Answer:
        wanted, after = query.get("max_result", "100"), query.get("next_token", "0")
        if not (wanted.isdecimal() and after.isdecimal() and 1 <= int(wanted) <= 100):
            return _portal_error(400, "InvalidRequestException", "wrong max_result or next_token")
        size, start = min(int(wanted), self._world.page_size), int(after)
        end = start + size
        page: dict[str, Any] = {name: rows[start:end]}
        if end < len(rows):
            page["nextToken"] = str(end)
        return as_json(page)


def _portal_error(status: int, name: str, message: str) -> Answer:
    return as_json({"message": message, "__type": name}, status, **{"x-amzn-ErrorType": name})


def _body(asked: Asked) -> dict[str, Any]:
    try:
        body = asked.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise OidcRefusedError("invalid_request")
    return body


def _without_port(address: str) -> str:
    parts = urlsplit(address)
    return parts._replace(netloc=re.sub(r":\d+$", "", parts.netloc)).geturl()


def _on_loopback(address: str) -> bool:
    parts = urlsplit(_without_port(address))
    return parts.scheme == "http" and parts.netloc in LOOPBACK


def _redirect(target: str, **query: str) -> Answer:
    return Answer(302, "", {"Location": f"{target}?{urlencode(query)}"})


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
