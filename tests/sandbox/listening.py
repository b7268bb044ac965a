"""One thread that accepts for all servers of this process: none polls, and none is waited for."""

from __future__ import annotations

import selectors
import threading
from functools import cache
from http.server import ThreadingHTTPServer


def start(server: ThreadingHTTPServer) -> None:
    """Serve from now on; each connection in a thread of its own."""
    server.daemon_threads = True
    server.socket.setblocking(False)  # a client that has gone again must not hold the others up
    _selector().register(server.fileno(), selectors.EVENT_READ, server)


def stop(server: ThreadingHTTPServer) -> None:
    """Close the port."""
    _selector().unregister(server.fileno())
    server.server_close()


@cache
def _selector() -> selectors.BaseSelector:
    selector = selectors.DefaultSelector()
    threading.Thread(target=_accept, args=(selector,), daemon=True).start()
    return selector


def _accept(selector: selectors.BaseSelector) -> None:
    while True:
        for key, _ in selector.select():
            key.data._handle_request_noblock()
