"""The container credentials endpoint on 127.0.0.1: AWS SDKs ask it for keys whenever theirs end.

Owns the sockets, the tokens and who may connect; not where the credentials come from. A page in a
browser can reach the port as well: therefore a random token, the exact Host, GET alone, no CORS,
and nothing is logged. Programs of other users are turned away before they take a place, by the
kernel's word where it tells. One thread reads all requests: idle connections hold nobody up.

Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Self

from broker.agent.http_messages import MAX_HEAD_BYTES, refusal, request_of, response
from broker.errors import AwsLoginError, UsageError
from broker.ports import peer
from broker.secret import masked

PATH = "/credentials"
HEAD_SECONDS = 1.0
"""What a client has to send its request in, and again to take the reply."""
MAX_CONNECTIONS = 512
"""Open at once; further ones wait in the socket's queue."""
MAX_SIGN_IN = 3600.0
"""Seconds that a client may wait for its credentials; SDKs give up long before."""
WORKERS = 4
"""Threads that get the credentials of a path; all of them may wait for a sign-in."""
LOOK_SECONDS = 0.1
"""Between two looks for clients that have had their time."""
NO_ROOM = 0.1
"""Seconds until the next try where file descriptors have run out."""

Credentials = Callable[[], bytes]
"""Gives a reply, `render.container`'s JSON of a session that is fresh now."""


class _Client:
    """One connection, until its reply is taken.

    Attributes:
        received: What it has sent.
        until: When it is given up.
        answered: Whether it has its reply, or a worker gets it.
    """

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.received = b""
        self.until = time.monotonic() + HEAD_SECONDS
        self.answered = False


class CredentialsEndpoint:
    """Serves sessions' credentials while the `with` block runs.

    Bound from the start, so a client that comes early waits and is not refused.

    Args:
        sources: The credentials of each path. Called in any thread, at each request; SDKs wait 2 s.
            An `AwsLoginError` of one is told to the client, with status 503.
        port: A fixed port; 0 for any free one.

    Raises:
        UsageError: The port is taken.
    """

    def __init__(self, sources: Mapping[str, Credentials], port: int = 0) -> None:
        self._sources = dict(sources)
        self._tokens = {path: secrets.token_urlsafe(32) for path in sources}
        try:
            self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        except OSError as error:
            raise UsageError(
                f"port {port} on 127.0.0.1 cannot be used: {error.strerror}",
                hint="take another `--port`, or none",
            ) from error
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._host = f"127.0.0.1:{self.port}"
        self._over = False
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        self._asked: dict[str, SimpleQueue[_Client | None]] = {
            path: SimpleQueue() for path in sources
        }
        self._replies: SimpleQueue[tuple[_Client, bytes]] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name="endpoint", daemon=True),
            *(
                threading.Thread(target=self._work, args=(path,), daemon=True)
                for path in sources
                for _ in range(WORKERS)
            ),
        ]

    def environ(self, path: str = PATH) -> dict[str, str]:
        """The variables that lead an SDK to a path; the second one is a secret."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{self._host}{path}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._tokens[path],
        }

    def new_tokens(self) -> None:
        """From now on who has an old token is refused."""
        self._tokens = {path: secrets.token_urlsafe(32) for path in self._sources}

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over = True
        with contextlib.suppress(OSError):  # it may have ended by itself meanwhile
            self._wake.send(b"\0")
        self._threads[0].join(HEAD_SECONDS)
        self._wake.close()
        for asked in self._asked.values():
            for _ in range(WORKERS):
                asked.put(None)

    def _run(self) -> None:
        look_at = 0.0
        while not self._over:
            for key, _ in self._selector.select(LOOK_SECONDS if self._clients else None):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._woken.recv(4096)
                elif key.fd in self._clients:
                    self._read(self._clients[key.fd])
            while not self._replies.empty():
                self._send(*self._replies.get())
            now = time.monotonic()
            if now >= look_at:
                look_at = now + LOOK_SECONDS
                for client in [late for late in self._clients.values() if late.until <= now]:
                    self._give_up(client)
        for client in list(self._clients.values()):
            self._close(client)
        for closing in (self._selector, self._listener, self._woken):
            closing.close()

    def _accept(self) -> None:
        """Take the connections that wait, as far as there is room."""
        while len(self._clients) < MAX_CONNECTIONS:
            try:
                link, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:  # out of file descriptors, for a while
                time.sleep(NO_ROOM)
                return
            if not peer.is_ours(link):
                link.close()
                continue
            link.setblocking(False)
            client = self._clients[link.fileno()] = _Client(link)
            self._selector.register(link, selectors.EVENT_READ)
            self._read(client)
        self._selector.unregister(self._listener)

    def _read(self, client: _Client) -> None:
        try:
            more = client.link.recv(MAX_HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            self._close(client)
        elif not client.answered:
            client.received += more
            if len(client.received.partition(b"\r\n\r\n")[0]) > MAX_HEAD_BYTES:
                self._send(client, refusal(400, "bad_request", "this head is too long"))
            elif b"\r\n\r\n" in client.received:
                self._answer(client)

    def _answer(self, client: _Client) -> None:
        """Refuse a request at once, or have its credentials got."""
        try:
            method, target, headers = request_of(client.received)
        except ValueError:
            no = refusal(400, "bad_request", "this is no request that an AWS SDK makes")
            return self._send(client, no)
        if headers.get("host") != self._host:
            no = refusal(403, "forbidden", "this address is for programs of this machine alone")
        elif method != "GET":
            no = refusal(405, "method_not_allowed", "GET alone")
        elif target not in self._tokens:
            no = refusal(404, "not_found", "nothing is here")
        elif not self._is_token(headers.get("authorization", ""), target):
            no = refusal(403, "forbidden", "the Authorization header does not hold our token")
        else:
            client.answered, client.until = True, time.monotonic() + MAX_SIGN_IN
            self._selector.unregister(client.link)
            return self._asked[target].put(client)
        return self._send(client, no)

    def _is_token(self, given: str, path: str) -> bool:
        return hmac.compare_digest(given.encode(), self._tokens[path].encode())

    def _work(self, path: str) -> None:
        """Get the credentials of a path for who asks; the other paths have threads of their own."""
        while client := self._asked[path].get():
            self._replies.put((client, self._reply(path)))
            with contextlib.suppress(OSError):
                self._wake.send(b"\0")

    def _reply(self, path: str) -> bytes:
        try:
            return response(200, self._sources[path]())
        except AwsLoginError as error:
            return refusal(503, error.code, masked(error.message))
        except Exception:  # noqa: BLE001 - a client learns nothing of a defect of ours
            return refusal(500, "bug", "a defect of awslogin")

    def _send(self, client: _Client, reply: bytes) -> None:
        """Send a reply, which a socket's buffer holds; then take what the client still sends.

        Closing on bytes that nobody has read would cut the reply off.
        """
        client.answered, client.until = True, time.monotonic() + HEAD_SECONDS
        try:
            client.link.sendall(reply)
            client.link.shutdown(socket.SHUT_WR)
            if client.link.fileno() not in self._selector.get_map():
                self._selector.register(client.link, selectors.EVENT_READ)
        except OSError:
            self._close(client)

    def _give_up(self, client: _Client) -> None:
        if client.answered:
            self._close(client)
        else:
            self._send(client, refusal(400, "bad_request", "no request came in time"))

    def _close(self, client: _Client) -> None:
        del self._clients[client.link.fileno()]
        if client.link.fileno() in self._selector.get_map():
            self._selector.unregister(client.link)
        client.link.close()
        if self._listener not in self._selector.get_map() and not self._over:
            self._selector.register(self._listener, selectors.EVENT_READ)
