"""Checks AWS Signature Version 4, header form, as AWS does. Source: IAM User Guide, "Signing"."""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from urllib.parse import quote, unquote, urlsplit

from tests.sandbox.server import Asked
from tests.sandbox.world import Keys, World

SKEW = 300
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request,"
    r"\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})"
)


class RefusedError(Exception):
    """AWS's error: code, message, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def caller(world: World, asked: Asked, service: str) -> Keys:
    """Who signed a request.

    Raises:
        RefusedError: Nobody, somebody unknown, or the signature is wrong.
    """
    header = asked.headers.get("authorization", "")
    match = _HEADER.fullmatch(header)
    if header and not match:
        raise RefusedError("IncompleteSignature", f"'{header.split()[0]}' is not complete", 400)
    if not match:
        raise RefusedError("MissingAuthenticationToken", "Request is missing Authentication Token")
    key_id, day, region, signed_service, names, signature = match.groups()
    keys = world.keys.get(key_id)
    now = world.now()
    if keys is None or not keys.active or not _propagated(keys, now):
        raise RefusedError(
            "InvalidClientTokenId", "The security token included in the request is invalid."
        )
    if keys.token != asked.headers.get("x-amz-security-token"):
        raise RefusedError(
            "InvalidClientTokenId", "The security token included in the request is invalid."
        )
    if signed_service != service:
        raise RefusedError(
            "SignatureDoesNotMatch", f"Credential should be scoped to correct service: '{service}'."
        )
    stamp = asked.headers.get("x-amz-date", "")
    _check_date(stamp, now)
    if not stamp.startswith(day):
        raise RefusedError("SignatureDoesNotMatch", f"Date in Credential scope is not {stamp[:8]}")
    for name in ("host", "x-amz-date", "x-amz-security-token"):
        if name in asked.headers and name not in names.split(";"):
            raise RefusedError("SignatureDoesNotMatch", f"'{name}' must be a 'SignedHeader'")
    expected = _signature(asked, keys.secret, (day, region, service), names.split(";"), stamp)
    if not hmac.compare_digest(expected, signature):
        raise RefusedError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    if keys.expires is not None and now >= keys.expires + world.overtime:
        raise RefusedError("ExpiredToken", "The security token included in the request is expired")
    keys.last_used = now, service, region
    return keys


def _propagated(keys: Keys, now: float) -> bool:
    if keys.unknown_calls > 0:
        keys.unknown_calls -= 1
        return False
    return now >= keys.usable_from


def _check_date(stamp: str, now: float) -> None:
    try:
        signed = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise RefusedError("IncompleteSignature", "Date must be in ISO-8601 format", 400) from None
    if abs(signed - now) > SKEW:
        word = "expired" if signed < now else "not yet current"
        raise RefusedError("SignatureDoesNotMatch", f"Signature {word}: {stamp}")


def _signature(
    asked: Asked, secret: str, scope: tuple[str, str, str], names: list[str], stamp: str
) -> str:
    query = urlsplit(asked.raw_path).query
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
    canonical = "\n".join(
        [
            asked.method,
            quote(unquote(asked.path), safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(f"{name}:{' '.join(asked.headers.get(name, '').split())}\n" for name in names),
            ";".join(names),
            hashlib.sha256(asked.body).hexdigest(),
        ]
    )
    day, region, service = scope
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            stamp,
            f"{day}/{region}/{service}/aws4_request",
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
