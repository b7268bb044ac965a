"""The check of an ID token. Source: OpenID Connect Core 1.0, section 3.1.3.7."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from broker.secret import Secret

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures by a key that the issuer publishes; `none` and shared secrets never count."""
LEEWAY_SECONDS = 60
MAX_KEYS = 100


def subject_of(
    token: Secret, keys: Callable[[], object], *, issuer: str, client_id: str, nonce: str | None
) -> str:
    """Whom a token is about, once all of it holds.

    Args:
        token: As the token endpoint gave it.
        keys: Gets the issuer's published keys, for a token that is signed by any.
        issuer: Who must have made it.
        client_id: Whom it must be for.
        nonce: What it must repeat; None where nothing was sent.

    Raises:
        jwt.PyJWTError, ValueError, KeyError, TypeError, RecursionError: It does not hold.
    """
    import jwt

    claims = jwt.decode(
        token.reveal(),
        _key(token.reveal(), keys),
        algorithms=list(ALGORITHMS),
        audience=client_id,
        issuer=issuer,
        leeway=LEEWAY_SECONDS,
        options={"require": ["exp", "iat", "aud", "iss", "sub"]},
    )
    others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (others or "azp" in claims) and claims.get("azp") != client_id:
        raise ValueError("it is for another client (azp)")
    repeated_nonce = str(claims.get("nonce", ""))
    if nonce is not None and not hmac.compare_digest(repeated_nonce.encode(), nonce.encode()):
        raise ValueError("it is of another sign-in (nonce)")
    return text_of(claims, "sub")


def _key(token: str, keys: Callable[[], object]) -> Any:
    """The published key that a token names; where it names none, the only one."""
    import jwt

    header = jwt.get_unverified_header(token)
    wanted, algorithm = header.get("kid"), header.get("alg")
    if algorithm not in ALGORITHMS:
        raise ValueError("it is not signed by a published key")
    published = keys()
    found = [
        key
        for key in (published if isinstance(published, list) else [])[:MAX_KEYS]
        if isinstance(key, dict)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and key.get("kty") in {"RSA", "EC"}
        and (wanted is None or key.get("kid") == wanted)
    ]
    if len(found) != 1:
        raise ValueError("its key is not among those that the issuer publishes")
    return jwt.PyJWK(found[0], algorithm=algorithm).key


def text_of(document: Mapping[str, Any], name: str) -> str:
    """A field that is text.

    Raises:
        KeyError, ValueError: It is missing, or something else.
    """
    value = document[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"it has no {name}")
    return value
