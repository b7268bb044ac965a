"""An OIDC issuer for CI jobs, and the check that STS makes of its tokens (RS256 JWT)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    RSAPublicNumbers,
)

from tests.sandbox.keys import rsa_key
from tests.sandbox.server import Answer, Asked, as_json
from tests.sandbox.sigv4 import RefusedError
from tests.sandbox.world import World

AUDIENCE = "sts.amazonaws.com"
KID = "1"


class Issuer:
    """Signs tokens and shows its key. `/token` answers as GitHub Actions' service does."""

    def __init__(self, world: World, url: str = "") -> None:
        self._world = world
        self._key = rsa_key("CI issuer")
        self.url = url
        self.request_secret = "github-request-token-0123456789"
        self.subject = "repo:corp/app:ref:refs/heads/main"

    def token(
        self,
        *,
        aud: str = AUDIENCE,
        seconds: float = 300,
        key: RSAPrivateKey | None = None,
        alg: str = "RS256",
        **claims: Any,
    ) -> str:
        """A JWT of this issuer, good for `seconds`; another `key` makes a forgery of it."""
        now = int(self._world.now())
        body = {"iss": self.url, "sub": self.subject, "aud": aud, "iat": now, "exp": now + seconds}
        head = _b64(json.dumps({"alg": alg, "kid": KID, "typ": "JWT"}).encode())
        signed = f"{head}.{_b64(json.dumps(body | claims).encode())}"
        signature = (key or self._key).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_b64(signature)}"

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key, as a JWK set."""
        numbers = self._key.public_key().public_numbers()
        n, e = (_b64(x.to_bytes((x.bit_length() + 7) // 8, "big")) for x in (numbers.n, numbers.e))
        return {"keys": [{"kty": "RSA", "kid": KID, "alg": "RS256", "n": n, "e": e}]}

    def handle(self, asked: Asked) -> Answer:
        """Discovery, JWKS, and GitHub's token request."""
        if asked.path == "/.well-known/openid-configuration":
            return as_json({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"})
        if asked.path == "/jwks":
            return as_json(self.jwks)
        if asked.path != "/token":
            return as_json({"message": "not found"}, 404)
        if asked.headers.get("authorization") != f"Bearer {self.request_secret}":
            return as_json({"message": "unauthorized"}, 401)
        return as_json({"value": self.token(aud=asked.query.get("audience", "none"))})


def keys_of(jwks: Mapping[str, Any]) -> dict[str, RSAPublicKey]:
    """The RSA keys of a JWK set, by `kid`."""
    return {
        key["kid"]: RSAPublicNumbers(
            *(int.from_bytes(_unb64(key[part]), "big") for part in "en")
        ).public_key()
        for key in jwks["keys"]
        if key["kty"] == "RSA"
    }


def check_token(world: World, token: str) -> dict[str, Any]:
    """The claims of a token that STS accepts, `aud` the accepted one, with the provider's ARN.

    Raises:
        RefusedError: Malformed, unknown issuer, wrong signature, audience or time.
    """
    try:
        head, payload, signature = token.split(".")
        claims, header = json.loads(_unb64(payload)), json.loads(_unb64(head))
        issuer, expires = claims["iss"], float(claims["exp"])
        starts, algorithm, kid = float(claims.get("nbf", 0)), header["alg"], header.get("kid")
        audiences = {claims["aud"]} if isinstance(claims["aud"], str) else set(claims["aud"])
        signed = _unb64(signature)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _invalid("The ID Token provided is not a valid JWT.") from None
    provider = world.oidc_providers.get(issuer)
    if provider is None:
        raise _invalid("No OpenIDConnect provider found in your account for this issuer")
    if algorithm != "RS256" or kid not in provider.keys:
        raise _invalid("Couldn't retrieve verification key from your identity provider")
    try:
        text = f"{head}.{payload}".encode()
        provider.keys[kid].verify(signed, text, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise _invalid("Couldn't verify the signature of the token") from None
    if expires <= world.now():
        raise RefusedError("ExpiredTokenException", "Token expired", 400)
    if starts > world.now():
        raise _invalid("The ID Token is not valid yet")
    if not audiences & provider.audiences:
        raise _invalid("Incorrect token audience")
    if not claims.get("sub"):
        raise _invalid("Missing a required claim: sub")
    return {**claims, "aud": (audiences & provider.audiences).pop(), "provider": provider.arn}


def _invalid(message: str) -> RefusedError:
    return RefusedError("InvalidIdentityToken", message, 400)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
