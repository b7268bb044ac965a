"""The listener for one OAuth redirect."""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from broker.errors import UsageError
from broker.ports import loopback
from broker.ports.loopback import PATH, LoopbackListener, OneUseAddress


@pytest.fixture
def listener() -> Iterator[LoopbackListener]:
    with LoopbackListener("the state") as running:
        yield running


def port_of(listener: LoopbackListener | OneUseAddress) -> int:
    return int(listener.url.split(":")[2].split("/")[0])


def get(
    listener: LoopbackListener | OneUseAddress, path: str, **headers: str
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(listener), timeout=10)
    connection.request("GET", path, headers=headers)
    reply = connection.getresponse()
    body = reply.read().decode()
    connection.close()
    return reply.status, body, {name.lower(): value for name, value in reply.getheaders()}


def test_takes_the_redirect_once(listener: LoopbackListener) -> None:
    status, body, headers = get(listener, f"{PATH}?code=c&state=the+state")
    assert status == 200
    assert "Signed in at AWS" in body
    assert "<script" not in body
    assert "src=" not in body
    assert "http" not in body
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert listener.wait(5) == {"code": "c", "state": "the state"}
    assert get(listener, f"{PATH}?code=d&state=the+state")[0] == 400
    assert listener.wait(5) == {"code": "c", "state": "the state"}


def test_an_error_counts_only_with_our_state(listener: LoopbackListener) -> None:
    assert get(listener, f"{PATH}?error=access_denied")[0] == 400
    assert get(listener, f"{PATH}?error=access_denied&state=other")[0] == 400
    assert get(listener, f"{PATH}?code=c&state=other")[0] == 400
    assert listener.wait(0) is None
    status, body, _ = get(listener, f"{PATH}?error=access_denied&state=the+state")
    assert (status, "Not signed in" in body) == (200, True)
    answer = listener.wait(5)
    assert answer
    assert answer["error"] == "access_denied"


def test_nothing_else_is_served(listener: LoopbackListener) -> None:
    assert get(listener, "/?code=c&state=the+state")[0] == 404
    assert get(listener, "/favicon.ico")[0] == 404
    assert get(listener, f"{PATH}?code=c&state=the+state", Host="evil.example")[0] == 404
    assert get(listener, f"{PATH}?code=c&state=the+state", Host="localhost")[0] == 404
    assert listener.wait(0) is None


def test_an_idle_connection_holds_nobody_up(listener: LoopbackListener) -> None:
    with socket.create_connection(("127.0.0.1", port_of(listener))):
        assert get(listener, f"{PATH}?code=c&state=the+state")[0] == 200


def test_it_listens_on_this_machine_alone(listener: LoopbackListener) -> None:
    assert listener._server.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_said(listener: LoopbackListener) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        LoopbackListener("x", port_of(listener))


def test_a_fixed_port_is_free_again_afterwards() -> None:
    with LoopbackListener("one") as first:
        port = port_of(first)
        get(first, f"{PATH}?code=c&state=one")
    with LoopbackListener("two", port) as second:
        assert get(second, f"{PATH}?code=c&state=one")[0] == 400
        assert get(second, f"{PATH}?code=c&state=two")[0] == 200


def test_an_address_leads_there_once() -> None:
    target = "https://signin.aws.amazon.com/federation?SigninToken=secret"
    with OneUseAddress(target) as door:
        path = urlsplit(door.url).path
        for wrong in ("/", f"{path}x", f"{path}?x", "/favicon.ico"):
            assert get(door, wrong)[0] == 404
        assert get(door, path, Host="evil.example")[0] == 404
        assert not door.was_used(0)
        status, body, headers = get(door, path)
        assert (status, headers["location"], body) == (303, target, "")
        assert headers["referrer-policy"] == "no-referrer"
        assert door.was_used(5)
        status, body, headers = get(door, path)
        assert (status, "location" in headers) == (404, False)
        assert "secret" not in body


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells whose a peer is")
def test_a_peer_is_known_by_its_user(listener: LoopbackListener) -> None:
    ours = "127.0.0.1", port_of(listener)
    with socket.create_connection(ours) as peer:
        assert loopback._owner(peer.getsockname(), ours) == os.geteuid()
    with socket.socket(socket.AF_INET6) as peer:
        peer.connect(("::ffff:127.0.0.1", port_of(listener)))
        assert loopback._owner(("127.0.0.1", peer.getsockname()[1]), ours) == os.geteuid()
    assert loopback._owner(("127.0.0.1", 1), ours) is None


def test_another_user_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with OneUseAddress("https://secret.example/") as door:
        path = urlsplit(door.url).path
        monkeypatch.setattr(loopback, "_owner", lambda peer, ours: os.geteuid() + 1)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            get(door, path)
        assert not door.was_used(0)
        monkeypatch.setattr(loopback, "_owner", lambda peer, ours: None)
        assert get(door, path)[0] == 303
