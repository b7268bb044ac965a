"""The few lines of HTTP that AWS SDKs and the container endpoint exchange. Source: RFC 9112."""

from __future__ import annotations

import json
from typing import NamedTuple

MAX_HEAD_BYTES = 16 * 1024
"""Of a request's head; SDKs send some 500."""

REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Request(NamedTuple):
    """A request's head; headers by lower-case name."""

    method: str
    target: str
    headers: dict[str, str]


def request_of(head: bytes) -> Request:
    """The request that a head is.

    Raises:
        ValueError: Not HTTP/1, or one of its headers is there twice.
    """
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if version not in {"HTTP/1.0", "HTTP/1.1"}:
        raise ValueError(version)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or name.lower() in headers:
            raise ValueError("not a header, or one that is there twice")
        headers[name.lower()] = value.strip(" \t")
    return Request(method, target, headers)


def response(status: int, body: bytes) -> bytes:
    """A whole response; the connection is closed after it."""
    lines = [
        f"HTTP/1.1 {status} {REASONS[status]}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        *(["Allow: GET"] if status == 405 else []),
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def refusal(status: int, code: str, message: str) -> bytes:
    """A response in whose body SDKs look for the reason."""
    return response(status, json.dumps({"code": code, "message": message}).encode())
