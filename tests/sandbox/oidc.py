"""An OIDC issuer for CI jobs, and the check that STS makes of its tokens (RS256 JWT)."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.sandbox.server import Answer, Asked, as_json
from tests.sandbox.sigv4 import RefusedError
from tests.sandbox.world import World

AUDIENCE = "sts.amazonaws.com"


class Issuer:
    """Signs tokens and shows its key. `request_token` answers as GitHub Actions' service does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.request_secret = "github-request-token-0123456789"
        self.subject = "repo:corp/app:ref:refs/heads/main"

    def register(self, arn: str, url: str) -> None:
        """Make IAM trust this issuer."""
        self._url = url
        self._world.oidc_providers[url] = {"arn": arn, "key": self._key.public_key()}

    def token(self, *, aud: str = AUDIENCE, seconds: float = 300, **claims: Any) -> str:
        """A signed JWT."""
        now = int(self._world.now())
        body = {"iss": self._url, "sub": self.subject, "aud": aud, "iat": now, "exp": now + seconds}
        head = _b64(json.dumps({"alg": "RS256", "kid": "1", "typ": "JWT"}).encode())
        payload = _b64(json.dumps(body | claims).encode())
        signature = self._key.sign(
            f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        return f"{head}.{payload}.{_b64(signature)}"

    def handle(self, asked: Asked) -> Answer:
        """JWKS, and GitHub's token request."""
        if asked.path == "/token":
            if asked.headers.get("authorization") != f"Bearer {self.request_secret}":
                return as_json({"message": "unauthorized"}, 401)
            return as_json({"value": self.token(aud=asked.query.get("audience", "none"))})
        numbers = self._key.public_key().public_numbers()
        n, e = (_b64(x.to_bytes((x.bit_length() + 7) // 8, "big")) for x in (numbers.n, numbers.e))
        return as_json({"keys": [{"kty": "RSA", "kid": "1", "alg": "RS256", "n": n, "e": e}]})


def check_token(world: World, token: str) -> dict[str, Any]:
    """The claims of a token that STS accepts, with the provider's ARN.

    Raises:
        RefusedError: Malformed, unknown issuer, wrong signature, audience or time.
    """
    try:
        head, payload, signature = token.split(".")
        claims = json.loads(_unb64(payload))
        provider = world.oidc_providers[claims["iss"]]
    except KeyError:
        raise RefusedError("InvalidIdentityToken", "No OpenIDConnect provider found", 400) from None
    except ValueError:
        raise RefusedError(
            "InvalidIdentityToken", "The ID Token provided is not a valid JWT.", 400
        ) from None
    try:
        provider["key"].verify(
            _unb64(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
    except InvalidSignature:
        raise RefusedError(
            "InvalidIdentityToken", "Couldn't verify the signature of the token", 400
        ) from None
    if claims["exp"] <= world.now():
        raise RefusedError("ExpiredTokenException", "Token expired", 400)
    if claims["aud"] != AUDIENCE:
        raise RefusedError("InvalidIdentityToken", "Incorrect token audience", 400)
    return {**claims, "provider": provider["arn"]}


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
