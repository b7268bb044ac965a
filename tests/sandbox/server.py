"""A small loopback HTTP server: routes, a log of what was asked, and faults on demand."""

from __future__ import annotations

import json
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.sandbox import listening

MAX_BODY = 4 * 1024 * 1024
FOR_EVER = 24 * 3600


@dataclass
class Asked:
    """One request."""

    service: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw_path: str
    at: float

    @property
    def form(self) -> dict[str, str]:
        """The fields of a posted form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The posted JSON."""
        return json.loads(self.body or b"{}")

    @property
    def action(self) -> str:
        """The query protocol's action, else the path."""
        return self.form.get("Action") or self.query.get("Action") or self.path

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies by name."""
        jar: SimpleCookie = SimpleCookie(self.headers.get("cookie", ""))
        return {name: morsel.value for name, morsel in jar.items()}


@dataclass
class Answer:
    """One reply."""

    status: int = 200
    body: str | bytes = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What a service does instead of answering, `times` times; None is for ever."""

    times: int | None
    answer: Answer | None = None
    hang: float = 0
    reset: bool = False
    action: str | None = None


def html(body: str, status: int = 200, **headers: str) -> Answer:
    """A page."""
    page = f"<!doctype html><html lang=en><meta charset=utf-8>{body}</html>"
    return Answer(status, page, {"Content-Type": "text/html; charset=utf-8", **headers})


def as_json(document: object, status: int = 200, **headers: str) -> Answer:
    """A JSON reply."""
    return Answer(status, json.dumps(document), {"Content-Type": "application/json", **headers})


class Service:
    """One server on its own port. `handle` answers what no fault swallows.

    A request that `handle` fails on is answered with 500 and kept in `crashes`.
    """

    def __init__(self, name: str, handle: Callable[[Asked], Answer], log: list[Asked]) -> None:
        self.name = name
        self._handle = handle
        self._log = log
        self.crashes: list[str] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def _serve(self) -> None:
                outer._serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

            def server_bind(self) -> None:
                TCPServer.server_bind(self)  # an HTTPServer would look up its own name, too
                self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

            def handle_error(self, *args: Any) -> None:
                """A client that went away is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        listening.start(self._server)

    def fault(self, fault: Fault) -> None:
        """Misbehave from now on."""
        with self._lock:
            self._faults.append(fault)

    def heal(self) -> None:
        """Behave again."""
        with self._lock:
            self._faults.clear()

    def stop(self) -> None:
        """Close the port."""
        self._stopping.set()
        listening.stop(self._server)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = min(int(handler.headers.get("Content-Length") or 0), MAX_BODY)
        asked = Asked(
            service=self.name,
            method=handler.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in handler.headers.items()},
            body=handler.rfile.read(length),
            raw_path=handler.path,
            at=time.monotonic(),
        )
        self._log.append(asked)
        fault = self._next_fault(asked)
        if fault and fault.hang:
            self._stopping.wait(min(fault.hang, FOR_EVER))
        if fault and (fault.reset or fault.hang):
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        answer = fault.answer if fault and fault.answer else self._answer(asked)
        _send(handler, answer)

    def _answer(self, asked: Asked) -> Answer:
        try:
            return self._handle(asked)
        except Exception:  # noqa: BLE001  # a server answers whatever it was sent
            self.crashes.append(traceback.format_exc())
            return Answer(500, "the sandbox failed", {"Content-Type": "text/plain"})

    def _next_fault(self, asked: Asked) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.action and fault.action != asked.action:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    if "Date" in answer.headers:
        handler.send_response_only(answer.status)
    else:
        handler.send_response(answer.status)
    for name, value in answer.headers.items():
        for line in value.split("\n"):
            handler.send_header(name, line)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def urls(services: Mapping[str, Service]) -> dict[str, str]:
    """Name → address."""
    return {name: service.url for name, service in services.items()}
