"""A listener on 127.0.0.1 that takes one OAuth redirect. Owns the socket and the last page.

Source: RFC 8252 section 7.3 (loopback redirection), RFC 6749 section 4.1.2.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from broker.errors import UsageError

PATH = "/oauth/callback"

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title} – awslogin</title>
<style>body{{font:1.125rem/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto;padding:0 1rem;
background:Canvas;color:CanvasText}}h1{{font-size:1.75rem}}</style>
<main><h1>{title}</h1><p>{text}</p></main></html>"""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class LoopbackListener:
    """Bound from the start; takes the one redirect whose `state` is ours, then is done.

    Args:
        state: The secret that the redirect must bring back.
        port: A fixed port; 0 for any free one.

    Raises:
        UsageError: The port is taken.
    """

    def __init__(self, state: str, port: int = 0) -> None:
        self._state = state
        self._answer: Mapping[str, str] | None = None
        self._arrived = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10
            server_version = "awslogin"
            sys_version = ""

            def do_GET(self) -> None:
                outer._serve(self)

            def log_message(self, *args: Any) -> None:
                """Nothing of a redirect is logged: it holds the code."""

        try:
            self._server = HTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise UsageError(
                f"port {port} on 127.0.0.1 is taken", hint="set another `callback_port`"
            ) from error
        self._host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self._host}{PATH}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, seconds: float) -> Mapping[str, str] | None:
        """The redirect's query (`code` or `error`), or None when it did not come in time."""
        self._arrived.wait(seconds)
        return self._answer

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        ours = hmac.compare_digest(query.get("state", "").encode(), self._state.encode())
        if parts.path != PATH or handler.headers.get("Host") != self._host:
            self._say(handler, 404, "Nothing here", "This address takes one sign-in alone.")
        elif not ours or self._answer is not None:
            self._say(handler, 400, "Not this sign-in", "It is over, or was not started here.")
        elif "code" in query:
            self._say(handler, 200, "Signed in", "You can close this window.")
            self._take(query)
        else:
            self._say(handler, 200, "Not signed in", "The terminal says why. Close this window.")
            self._take(query)

    def _take(self, query: Mapping[str, str]) -> None:
        self._answer = query
        self._arrived.set()

    def _say(self, handler: BaseHTTPRequestHandler, status: int, title: str, text: str) -> None:
        body = _PAGE.format(title=title, text=text).encode()
        handler.send_response(status)
        for name, value in {**_HEADERS, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
