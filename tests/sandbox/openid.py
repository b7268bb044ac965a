"""An OpenID provider for people: discovery, the code flow with PKCE, device codes, refresh.

Source: OpenID Connect Core 1.0, RFC 7636, RFC 8628.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.sandbox.oidc import Issuer
from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.world import World

CLIENT = "awslogin-cli"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LIFE, CODE_LIFE = 300.0, 120.0


class OAuthError(Exception):
    """A refusal of the token endpoint, named by its code word."""


@dataclass
class _Pending:
    """A code that waits: what it was asked with, and who has confirmed it."""

    scope: set[str]
    redirect: str = ""
    challenge: str = ""
    nonce: str = ""
    person: str = ""
    denied: bool = False
    ends: float = 0.0


class OpenId(Issuer):
    """Knobs: `person` (who confirms what the browser is sent to; empty denies), `claims` (more of
    the ID token, or other values), `iss` (what the return names), `refreshes_id_token`.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.person = "ann"
        self.claims: dict[str, Any] = {}
        self.iss: str | None = None
        self.refreshes_id_token = True
        self.codes: dict[str, _Pending] = {}
        self.devices: dict[str, _Pending] = {}
        self.refresh: dict[str, tuple[str, set[str]]] = {}
        self._user_codes: dict[str, str] = {}

    def confirm(self, user_code: str, person: str | None) -> None:
        """A person confirms a device code, or denies it (None)."""
        device = self.devices[self._user_codes[user_code]]
        device.person, device.denied = person or "", person is None

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        routes = {
            ("GET", "/.well-known/openid-configuration"): self._discovery,
            ("GET", "/jwks"): lambda _: as_json(self.jwks),
            ("GET", "/authorize"): self._authorize,
            ("POST", "/device"): self._device,
            ("POST", "/token"): self._token,
        }
        route = routes.get((asked.method, asked.path))
        if route is None:
            return html("<h1>not found</h1>", 404)
        try:
            with self._world.lock:
                return route(asked)
        except OAuthError as error:
            return as_json({"error": str(error)}, 400)

    def _discovery(self, asked: Asked) -> Answer:
        return as_json(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "device_authorization_endpoint": f"{self.url}/device",
                "jwks_uri": f"{self.url}/jwks",
            }
        )

    def _authorize(self, asked: Asked) -> Answer:
        query = asked.query
        redirect = urlsplit(query.get("redirect_uri", ""))
        known = (redirect.scheme, redirect.hostname, redirect.path) == (
            "http", "127.0.0.1", "/oauth/callback",
        )  # fmt: skip
        if query.get("client_id") != CLIENT or not known:
            return html("<h1>Unknown client or redirect</h1>", 400)
        back = {"state": query.get("state", "")} | ({"iss": self.iss} if self.iss else {})
        good = (
            query.get("response_type") == "code"
            and query.get("code_challenge_method") == "S256"
            and len(query.get("code_challenge", "")) == 43
            and "openid" in query.get("scope", "").split()
            and query.get("nonce")
            and query.get("state")
        )
        if not good or not self.person:
            error = "invalid_request" if not good else "access_denied"
            return _redirect(query["redirect_uri"], back | {"error": error})
        code = secrets.token_urlsafe(24)
        self.codes[code] = _Pending(
            set(query["scope"].split()), query["redirect_uri"], query["code_challenge"],
            query["nonce"], self.person, ends=self._world.now() + CODE_LIFE,
        )  # fmt: skip
        return _redirect(query["redirect_uri"], back | {"code": code})

    def _device(self, asked: Asked) -> Answer:
        scope = set(asked.form.get("scope", "").split())
        if asked.form.get("client_id") != CLIENT or "openid" not in scope:
            raise OAuthError("invalid_client")
        code, user_code = secrets.token_urlsafe(24), secrets.token_hex(4).upper()
        self.devices[code] = _Pending(scope, ends=self._world.now() + CODE_LIFE)
        self._user_codes[user_code] = code
        return as_json(
            {
                "device_code": code,
                "user_code": user_code,
                "verification_uri": f"{self.url}/activate",
                "expires_in": CODE_LIFE,
            }
        )

    def _token(self, asked: Asked) -> Answer:
        form = asked.form
        if form.get("client_id") != CLIENT:
            raise OAuthError("invalid_client")
        if form.get("grant_type") == "authorization_code":
            pending = self._by_code(form)
        elif form.get("grant_type") == DEVICE_GRANT:
            pending = self._by_device(form)
        elif form.get("grant_type") == "refresh_token":
            held = self.refresh.pop(form.get("refresh_token", ""), None)
            if held is None:
                raise OAuthError("invalid_grant")
            pending = _Pending(held[1], person=held[0])
        else:
            raise OAuthError("unsupported_grant_type")
        claims: dict[str, Any] = {"sub": pending.person}
        claims |= {"nonce": pending.nonce} if pending.nonce else {}
        document: dict[str, Any] = {"token_type": "Bearer", "expires_in": LIFE}
        if form["grant_type"] != "refresh_token" or self.refreshes_id_token:
            document["id_token"] = self.token(
                **{"aud": CLIENT, "seconds": LIFE, **claims, **self.claims}
            )
        if "offline_access" in pending.scope:
            document["refresh_token"] = secrets.token_urlsafe(32)
            self.refresh[document["refresh_token"]] = pending.person, pending.scope
        return as_json(document)

    def _by_code(self, form: dict[str, str]) -> _Pending:
        pending = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        good = (
            pending
            and pending.ends > self._world.now()
            and (pending.challenge, pending.redirect) == (proof, form.get("redirect_uri"))
        )
        if not pending or not good:
            raise OAuthError("invalid_grant")
        return pending

    def _by_device(self, form: dict[str, str]) -> _Pending:
        device = self.devices.get(form.get("device_code", ""))
        if device is None or device.ends <= self._world.now():
            raise OAuthError("expired_token")
        if device.denied:
            raise OAuthError("access_denied")
        if not device.person:
            raise OAuthError("authorization_pending")
        del self.devices[form["device_code"]]
        return device


def _redirect(address: str, query: dict[str, str]) -> Answer:
    return Answer(302, "", {"Location": f"{address}?{urlencode(query)}"})
