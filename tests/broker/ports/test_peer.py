"""Whose program is at the other end of a connection."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable

import pytest

from broker.ports import peer
from tests.strangers import started_as_nobody
from tests.support import PATIENCE

HOLD = """
import socket, sys
link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
link.recv(1)
"""


@pytest.fixture(params=["sock_diag", "proc"])
def listener(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """A listener, by each way of asking the kernel."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError("no netlink here")

    if request.param == "proc":
        monkeypatch.setattr(peer, "_asked", refused)
    return socket.create_server(("127.0.0.1", 0))


def accepted(listener: socket.socket, connect: Callable[[int], socket.socket]) -> None:
    with listener, connect(listener.getsockname()[1]) as client:
        link, _ = listener.accept()
        with link:
            ends = link.getpeername(), link.getsockname()
            assert peer.user_of(*ends) == (True, os.geteuid())
            assert peer.is_ours(link)
            client.close()
            assert peer.user_of(*ends) == (True, None)
            assert not peer.is_ours(link)


def test_a_program_of_ours_is_known_as_long_as_it_holds_its_end(listener: socket.socket) -> None:
    accepted(listener, lambda port: socket.create_connection(("127.0.0.1", port)))


def test_one_that_speaks_ipv6_alike(listener: socket.socket) -> None:
    def connect(port: int) -> socket.socket:
        client = socket.socket(socket.AF_INET6)
        client.connect(("::ffff:127.0.0.1", port))
        return client

    accepted(listener, connect)


def test_another_user_is_known(listener: socket.socket) -> None:
    with listener, started_as_nobody(HOLD, str(listener.getsockname()[1])) as stranger:
        listener.settimeout(PATIENCE)
        link, _ = listener.accept()
        with link:
            assert not peer.is_ours(link)
        stranger.wait(PATIENCE)


def test_what_has_no_connection_is_nobodys(listener: socket.socket) -> None:
    with listener:
        assert peer.user_of(("127.0.0.1", 1), listener.getsockname()) == (True, None)


def test_where_no_system_tells_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    ours, its = socket.socketpair()
    with ours, its:
        assert peer.is_ours(ours)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells it on Linux alone")
def test_whoever_cannot_be_asked_about_for_want_of_room_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A flood of connections, which takes all file descriptors, opens no door."""

    def no_room(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()),
        server.accept()[0] as link,
    ):
        assert peer.is_ours(link)
        monkeypatch.setattr(peer, "_asked", no_room)
        monkeypatch.setattr(peer, "_read", no_room)
        assert not peer.is_ours(link)
