"""The container credentials endpoint on 127.0.0.1: AWS SDKs ask it for keys whenever theirs end.

Owns the socket, the token and the few lines of HTTP; not where the credentials come from. Any other
program of this machine can reach the port, and so can a web page in a browser: therefore a random
token, the exact Host, GET alone, no CORS, and nothing is logged.

Source: AWS SDKs and Tools Reference Guide, "Container credential provider"; RFC 9112.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from broker.errors import AwsLoginError
from broker.secret import masked

PATH = "/credentials"
LONGEST_HEAD = 16 * 1024
"""Bytes of a request's head; SDKs send some 500."""
PATIENCE = 5.0
"""Seconds that a client has to send its request, and again to take the reply."""
AT_ONCE = 32
"""Requests that are served in parallel; further ones wait in the socket's queue."""

_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class CredentialsEndpoint:
    """Serves one session's credentials while the `with` block runs.

    Bound from the start, so a client that comes early waits and is not refused.

    Args:
        credentials: Gives the reply, `render.container`'s JSON of a session that is fresh now. It
            is called in any thread, at each request; SDKs wait 2 s for it. An `AwsLoginError` of it
            is told to the client, with status 503.
    """

    def __init__(self, credentials: Callable[[], bytes]) -> None:
        self._credentials = credentials
        self._authorization = secrets.token_urlsafe(32)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._address: tuple[str, int] = self._listener.getsockname()
        self._host = f"127.0.0.1:{self._address[1]}"
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="endpoint", daemon=True)

    def environ(self) -> dict[str, str]:
        """The variables that lead an SDK here; the second one is a secret."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{self._host}{PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._authorization,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        with contextlib.suppress(OSError):  # wakes `accept`, on every system
            socket.create_connection(self._address, timeout=1).close()
        self._thread.join(PATIENCE)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                if self._over.wait(0.1):  # else: out of file descriptors, for a while
                    return
                continue
            if self._over.is_set():
                client.close()
                return
            self._room.acquire()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError):
                head = _head(client)
                status, body = self._answer(head)
                _send(client, status, body)
        finally:
            self._room.release()

    def _answer(self, head: bytes | None) -> tuple[int, bytes]:
        """Status and body for a request's head; None is one that never came or never ended."""
        try:
            method, target, headers = _parsed(head or b"")
        except ValueError:
            return 400, _error("bad_request", "this is no request that an AWS SDK makes")
        if headers.get("host") != self._host:
            return 403, _error("forbidden", "this address is for programs of this machine alone")
        if method != "GET":
            return 405, _error("method_not_allowed", "GET alone")
        if target != PATH:
            return 404, _error("not_found", "nothing is here")
        given = headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._authorization.encode()):
            return 403, _error("forbidden", "the Authorization header does not hold our token")
        try:
            return 200, self._credentials()
        except AwsLoginError as error:
            return 503, _error(error.code, masked(error.message))
        except Exception:  # noqa: BLE001 - a client learns nothing of a defect of ours
            return 500, _error("bug", "a defect of awslogin")


def _head(client: socket.socket) -> bytes | None:
    """A request's head, or None where it does not end in time or within bounds."""
    until = time.monotonic() + PATIENCE
    head = b""
    while b"\r\n\r\n" not in head:
        left = until - time.monotonic()
        if left <= 0 or len(head) >= LONGEST_HEAD:
            return None
        client.settimeout(left)
        try:
            more = client.recv(4096)
        except TimeoutError:
            return None
        if not more:
            return None
        head += more
    return head.partition(b"\r\n\r\n")[0]


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers by lower-case name.

    Raises:
        ValueError: Not HTTP/1, or one of its headers is there twice.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if version not in {"HTTP/1.0", "HTTP/1.1"}:
        raise ValueError(version)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or name.lower() in headers:
            raise ValueError("not a header, or one that is there twice")
        headers[name.lower()] = value.strip(" \t")
    return method, target, headers


def _send(client: socket.socket, status: int, body: bytes) -> None:
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        *(["Allow: GET"] if status == 405 else []),
        "Connection: close",
    ]
    client.settimeout(PATIENCE)
    client.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    client.shutdown(socket.SHUT_WR)
    _drain(client)


def _drain(client: socket.socket) -> None:
    """Take what the client still sends: closing on unread bytes would cut the reply off."""
    client.settimeout(1)
    with contextlib.suppress(OSError):
        for _ in range(16):
            if not client.recv(4096):
                return


def _error(code: str, message: str) -> bytes:
    """The shape in which SDKs look for the reason."""
    return json.dumps({"code": code, "message": message}).encode()
