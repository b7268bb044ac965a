"""AWS's sign-in service for `aws login`: the authorize page, and CreateOAuth2Token with DPoP.

Source: AWS Sign-In API Reference, CreateOAuth2Token; RFC 7636, RFC 9449.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.sandbox.server import Answer, Asked, as_json, html
from tests.sandbox.world import HOUR, World

SAME_DEVICE = "arn:aws:signin:::devtools/same-device"
OTHER_DEVICE = "arn:aws:signin:::devtools/cross-device"
LIFE, CODE_LIFE, SESSION_LIFE, REPLAY = 900, 600, 12 * HOUR, 60
SCOPE, METHOD = "openid", "SHA-256"


class RefusedError(Exception):
    """A refusal: HTTP status and the code word."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status, self.error = status, error


@dataclass
class _Code:
    client: str
    redirect: str
    challenge: str
    arn: str
    ends: float


@dataclass
class _Grant:
    """One sign-in: the key that it is bound to, and its refresh tokens with their successors."""

    client: str
    key: str
    arn: str
    ends: float
    tokens: dict[str, tuple[str, float] | None] = field(default_factory=dict)


class ConsoleLogin:
    """Knobs: `arn`, who is signed in in the browser; `deny`; `lacks_permission`; `wants_nonce`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.arn = "arn:aws:sts::444455556666:assumed-role/Admin/ann"
        self.deny = False
        self.lacks_permission = False
        self.wants_nonce = ""
        self.codes: dict[str, _Code] = {}
        self.grants: list[_Grant] = []
        self._proofs: set[str] = set()

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        if (asked.method, asked.path) == ("GET", "/v1/authorize"):
            return self._authorize(asked.query)
        if (asked.method, asked.path) != ("POST", "/v1/token"):
            return html("<h1>AWS</h1>", 404)
        try:
            return self._token(asked)
        except RefusedError as refused:
            headers = {"DPoP-Nonce": self.wants_nonce} if refused.error == "use_dpop_nonce" else {}
            answer = as_json({"error": refused.error, "message": "refused"}, refused.status)
            answer.headers |= headers
            return answer

    def _authorize(self, query: Mapping[str, str]) -> Answer:
        client, redirect = query.get("client_id"), query.get("redirect_uri", "")
        parts = urlsplit(redirect)
        loopback = (parts.scheme, parts.hostname, parts.path) == (
            "http", "127.0.0.1", "/oauth/callback",
        )  # fmt: skip
        here = parts.path == "/v1/sessions/confirmation"
        good = (
            ((client == SAME_DEVICE and loopback) or (client == OTHER_DEVICE and here))
            and query.get("response_type") == "code"
            and query.get("code_challenge_method") == METHOD
            and query.get("scope") == SCOPE
            and len(query.get("code_challenge", "")) == 43
            and query.get("state")
        )
        if not good:
            return html("<h1>Bad request</h1>", 400)
        if self.deny:
            return self._back(redirect, loopback, error="access_denied", state=query["state"])
        code = secrets.token_urlsafe(24)
        self.codes[code] = _Code(
            client or "", redirect, query["code_challenge"], self.arn,
            self._world.now() + CODE_LIFE,
        )  # fmt: skip
        return self._back(redirect, loopback, code=code, state=query["state"])

    def _back(self, redirect: str, loopback: bool, **answer: str) -> Answer:
        if loopback:
            return Answer(302, "", {"Location": f"{redirect}?{urlencode(answer)}"})
        shown = base64.b64encode(urlencode(answer).encode()).decode()
        return html(f"<title>AWS</title><code id=authorization>{shown}</code>")

    def _token(self, asked: Asked) -> Answer:
        body = asked.json
        key = self._proven(asked)
        if self.lacks_permission:
            raise RefusedError(403, "INSUFFICIENT_PERMISSIONS")
        if body.get("grantType") == "authorization_code":
            grant, first = self._exchanged(body, key), True
            refresh = secrets.token_urlsafe(40)
            grant.tokens[refresh] = None
        elif body.get("grantType") == "refresh_token":
            grant, refresh = self._refreshed(body, key)
            first = False
        else:
            raise RefusedError(400, "unsupported_grant_type")
        keys = self._world.issue(grant.arn, LIFE, kind="role")
        document: dict[str, Any] = {
            "accessToken": {
                "accessKeyId": keys.key_id,
                "secretAccessKey": keys.secret,
                "sessionToken": keys.token,
            },
            "tokenType": "urn:aws:params:oauth:token-type:access_token_sigv4",
            "expiresIn": LIFE,
            "refreshToken": refresh,
        }
        if first:
            parts = ({"alg": "none"}, {"sub": grant.arn})
            document["idToken"] = ".".join([*(_b64(json.dumps(part)) for part in parts), ""])
        return as_json(document)

    def _exchanged(self, body: Mapping[str, str], key: str) -> _Grant:
        code = self.codes.pop(body.get("code", ""), None)
        if code is None or code.ends <= self._world.now():
            raise RefusedError(401, "AUTHCODE_EXPIRED")
        verifier = body.get("codeVerifier", "")
        digest = hashlib.sha256(verifier.encode()).digest()
        proven = base64.urlsafe_b64encode(digest).decode().rstrip("=") == code.challenge
        named = (body.get("clientId"), body.get("redirectUri")) == (code.client, code.redirect)
        if not proven or not named or not 43 <= len(verifier) <= 128:
            raise RefusedError(400, "invalid_grant")
        grant = _Grant(code.client, key, code.arn, self._world.now() + SESSION_LIFE)
        self.grants.append(grant)
        return grant

    def _refreshed(self, body: Mapping[str, str], key: str) -> tuple[_Grant, str]:
        """The sign-in of a refresh token, and the next one; for a while the same one again."""
        token, now = body.get("refreshToken", ""), self._world.now()
        grant = next((one for one in self.grants if token in one.tokens), None)
        if grant is None or grant.client != body.get("clientId") or grant.key != key:
            raise RefusedError(400, "invalid_grant")
        if grant.ends <= now:
            raise RefusedError(401, "TOKEN_EXPIRED")
        used = grant.tokens[token]
        if used and used[1] + REPLAY < now:
            raise RefusedError(400, "invalid_grant")
        following = used[0] if used else secrets.token_urlsafe(40)
        grant.tokens[token] = used or (following, now)
        grant.tokens.setdefault(following, None)
        return grant, following

    def _proven(self, asked: Asked) -> str:
        """The thumbprint of the key that signed the DPoP header (RFC 9449 section 4.3)."""
        try:
            head, payload, signature = asked.headers["dpop"].split(".")
            header, claims = (json.loads(_unb64(part)) for part in (head, payload))
            jwk, raw = header["jwk"], _unb64(signature)
            x, y = (int.from_bytes(_unb64(jwk[name]), "big") for name in "xy")
            public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            der = encode_dss_signature(*(int.from_bytes(h, "big") for h in (raw[:32], raw[32:])))
            public.verify(der, f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
            good = (
                (header["typ"], header["alg"]) == ("dpop+jwt", "ES256")
                and "d" not in jwk
                and claims["htm"] == "POST"
                and claims["htu"] == f"http://{asked.headers['host']}/v1/token"
                and abs(claims["iat"] - self._world.now()) < 300
                and claims["jti"] not in self._proofs
            )
        except (KeyError, ValueError, TypeError, InvalidSignature):
            good = False
        if not good:
            raise RefusedError(400, "invalid_dpop_proof")
        self._proofs.add(claims["jti"])
        if self.wants_nonce and claims.get("nonce") != self.wants_nonce:
            raise RefusedError(400, "use_dpop_nonce")
        return f"{x}.{y}"


def _b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
