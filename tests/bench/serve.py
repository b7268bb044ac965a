"""`serve` under 1,000 clients at once, beside a bare loopback server of the same bytes.

Goal: all are served, the slowest hundredth within 50 ms on an idle machine; the ratio of both says
how much of that is ours.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import Home

CLIENTS = 1000
BARE = """
import socket, sys, threading
server = socket.create_server(("127.0.0.1", 0), backlog=1024)
print(server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n" + b"x" * 1500)
    client.close()
"""


def main() -> None:
    """Both servers, in one run."""
    bare = subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, text=True)
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="awslogin-bench-") as folder:
        home = Home(Path(folder), sandbox.env())
        home.config(config("dev"))
        home.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
        serving = home.start("serve", "dev", "--output", "json", fresh=True)
        try:
            assert serving.stdout
            assert bare.stdout
            (row,) = json.loads("".join(iter(serving.stdout.readline, "}\n")) + "}")["profiles"]
            parts = urlsplit(row["uri"])
            request = (
                f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                f"Authorization: {row['authorization_token']}\r\n\r\n"
            ).encode()
            at_bare = slowest(int(bare.stdout.readline()), request)
            ours = slowest(int(parts.port or 0), request)
            print(f"bare server: p99 {at_bare * 1000:.0f} ms")
            print(f"awslogin serve: p99 {ours * 1000:.0f} ms, {ours / at_bare:.2f} of the bare one")
        finally:
            for process in (serving, bare):
                process.terminate()
                process.communicate()


def slowest(port: int, request: bytes) -> float:
    """Seconds within which 99 of 100 clients had their reply; every one must have it."""
    return sorted(_each(port, request))[CLIENTS * 99 // 100]


def _each(port: int, request: bytes) -> list[float]:
    """What each client waited, from its connecting to the reply's end.

    By bare sockets: a client that costs more than the server would be what is measured.
    """
    selector = selectors.DefaultSelector()
    begun: dict[socket.socket, float] = {}
    replies: dict[socket.socket, bytes] = {}
    waited: list[float] = []
    for _ in range(CLIENTS):
        link = socket.socket()
        link.setblocking(False)
        begun[link], replies[link] = time.perf_counter(), b""
        link.connect_ex(("127.0.0.1", port))
        selector.register(link, selectors.EVENT_WRITE, link)
    while len(waited) < CLIENTS:
        for key, events in selector.select():
            link = key.data
            if events & selectors.EVENT_WRITE:
                link.sendall(request)
                selector.modify(link, selectors.EVENT_READ, link)
            elif more := link.recv(65536):
                replies[link] += more
            else:
                assert replies[link].startswith(b"HTTP/1.1 200"), replies[link][:100]
                waited.append(time.perf_counter() - begun[link])
                selector.unregister(link)
                link.close()
    return waited


if __name__ == "__main__":
    main()
