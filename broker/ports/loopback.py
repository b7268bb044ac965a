"""What the browser finds on 127.0.0.1, good once: an OAuth redirect's end, a door to an address.

Owns the socket, who may come to it, and our page. Source: RFC 8252 section 7.3 (loopback
redirection), RFC 6749 section 4.1.2.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from broker.errors import UsageError
from broker.ports import peer

PATH = "/oauth/callback"
LAST_PAGE = 2.0
"""Seconds for the browser to fetch the page that it ends on."""

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;"
    "background:light-dark(#fff,#16181d);color:light-dark(#16181d,#eceef2);"
    "font:1.125rem/1.6 system-ui,sans-serif}"
    "main{max-width:32rem;padding:2rem}"
    "h1{margin:0 0 .5rem;font-size:1.75rem;line-height:1.25}"
    "p{margin:0}"
)
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} – awslogin</title>
<style>{style}</style>
<main><h1>{title}</h1><p>{text}</p></main>
</html>
"""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class _Server(ThreadingMixIn, TCPServer):
    """Threads, as browsers open connections ahead that they send nothing on."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name == "posix"  # on Windows it would let another program in
    turned_away: Callable[[], None]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether the peer is a program of this user, or the system does not say whose it is."""
        del client_address
        ours = peer.is_ours(request)
        if not ours:
            self.turned_away()
        return ours

    def handle_error(self, *args: Any) -> None:
        """A browser that went away is no news."""


class _Listener(ABC):
    """Bound from the start, served in the `with` block; one request is the one it waits for.

    Args:
        port: A fixed port; 0 for any free one.
        tell: Tells the person, once each, of who came and was turned away.

    Raises:
        UsageError: The port is taken.
    """

    def __init__(self, port: int = 0, tell: Callable[[str], object] | None = None) -> None:
        self._tell = tell
        self._reported: set[str] = set()
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        self._shown = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10
            server_version = "awslogin"
            sys_version = ""

            def do_GET(self) -> None:
                outer._serve(self)

            def log_message(self, *args: Any) -> None:
                """Nothing is logged: the addresses hold secrets."""

        try:
            self._server = _Server(("127.0.0.1", port), Handler)
        except OSError as error:
            raise UsageError(
                f"port {port} on 127.0.0.1 cannot be used: {error.strerror}",
                hint="set another `callback_port`, or none",
            ) from error
        self._server.turned_away = lambda: self._tell_once(
            "a program of another user came to this sign-in's address and was turned away;"
            " sign in with a browser of your own user"
        )
        self._host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._arrived.is_set():
            self._shown.wait(LAST_PAGE)
        self._server.shutdown()
        self._server.server_close()

    def was_used(self, seconds: float) -> bool:
        """Whether the browser came within these seconds."""
        end = time.monotonic() + seconds
        while not self._arrived.wait(0.2):  # in short steps: Windows hears Ctrl-C between them
            if time.monotonic() > end:
                return False
        return True

    def _tell_once(self, message: str) -> None:
        with self._lock:
            new = message not in self._reported
            self._reported.add(message)
        if new and self._tell:
            self._tell(message)

    @abstractmethod
    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a GET."""

    def _say(self, handler: BaseHTTPRequestHandler, status: int, title: str, text: str) -> None:
        body = _PAGE.format(title=title, text=text, style=_STYLE).encode()
        _reply(handler, status, {**_HEADERS, "Content-Length": str(len(body))}, body)


class LoopbackListener(_Listener):
    """Takes the one redirect whose `state` is ours, then is done.

    Args:
        state: The secret that the redirect must bring back.
        port: A fixed port; 0 for any free one.
        tell: Tells the person, once each, of who came and was turned away.

    Raises:
        UsageError: The port is taken.
    """

    def __init__(
        self, state: str, port: int = 0, tell: Callable[[str], object] | None = None
    ) -> None:
        super().__init__(port, tell)
        self._state = state
        self._answer: Mapping[str, str] | None = None
        self.url = f"http://{self._host}{PATH}"

    def wait(self, seconds: float) -> Mapping[str, str] | None:
        """The redirect's query (`code` or `error`), or None when it did not come in time."""
        return self._answer if self.was_used(seconds) else None

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        host = handler.headers.get("Host")
        if parts.path != PATH or host != self._host:
            if parts.path == PATH and self._is_state(query):
                self._tell_once(
                    f"the browser came back to {host}: the sign-in takes {self._host} alone;"
                    f" replace {host} by {self._host} in the browser's address"
                )
            self._say(handler, 404, "Nothing here", f"This sign-in ends at {self._host} alone.")
        elif not self._take(query):
            self._say(handler, 400, "Not this sign-in", "It is over, or was not started here.")
        else:
            if "code" in query:
                title, text = "Signed in at AWS", "The rest happens in your terminal."
            else:
                title, text = "Not signed in", "Your terminal says why."
            self._say(handler, 200, title, f"{text} You can close this window.")
            self._shown.set()

    def _is_state(self, query: Mapping[str, str]) -> bool:
        return hmac.compare_digest(query.get("state", "").encode(), self._state.encode())

    def _take(self, query: Mapping[str, str]) -> bool:
        """Whether this is the redirect; the first one with our state is, also if it says no."""
        ours = self._is_state(query)
        with self._lock:
            if not ours or self._answer is not None:
                return False
            self._answer = query
            self._arrived.set()
            return True


class OneUseAddress(_Listener):
    """Leads to a secret address once: the browser's command line holds this one instead.

    Args:
        target: Where it leads.
    """

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self._path = f"/{secrets.token_urlsafe(32)}"
        self.url = f"http://{self._host}{self._path}"

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        if not self._is_ours(handler):
            self._say(handler, 404, "Nothing here", "This address was good once.")
            return
        _reply(handler, 303, {**_HEADERS, "Location": self._target, "Content-Length": "0"})
        self._shown.set()

    def _is_ours(self, handler: BaseHTTPRequestHandler) -> bool:
        """Whether this is the first request for the address."""
        ours = hmac.compare_digest(handler.path.encode(), self._path.encode())
        with self._lock:
            if not ours or handler.headers.get("Host") != self._host or self._arrived.is_set():
                return False
            self._arrived.set()
            return True


def _reply(
    handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes = b""
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
