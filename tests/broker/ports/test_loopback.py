"""The listener for one OAuth redirect."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from broker.errors import UsageError
from broker.ports.loopback import PATH, LoopbackListener, OneUseAddress
from tests.real.parts.process import free_port
from tests.strangers import as_nobody
from tests.support import PATIENCE


@pytest.fixture
def listener() -> Iterator[LoopbackListener]:
    with LoopbackListener("the state") as running:
        yield running


def port_of(listener: LoopbackListener | OneUseAddress) -> int:
    return int(listener.url.split(":")[2].split("/")[0])


def get(
    listener: LoopbackListener | OneUseAddress, path: str, **headers: str
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(listener), timeout=PATIENCE)
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
    assert listener.wait(PATIENCE) == {"code": "c", "state": "the state"}
    assert get(listener, f"{PATH}?code=d&state=the+state")[0] == 400
    assert listener.wait(PATIENCE) == {"code": "c", "state": "the state"}


def test_an_error_counts_only_with_our_state(listener: LoopbackListener) -> None:
    assert get(listener, f"{PATH}?error=access_denied")[0] == 400
    assert get(listener, f"{PATH}?error=access_denied&state=other")[0] == 400
    assert get(listener, f"{PATH}?code=c&state=other")[0] == 400
    assert listener.wait(0) is None
    status, body, _ = get(listener, f"{PATH}?error=access_denied&state=the+state")
    assert (status, "Not signed in" in body) == (200, True)
    answer = listener.wait(PATIENCE)
    assert answer
    assert answer["error"] == "access_denied"


def test_nothing_else_is_served(listener: LoopbackListener) -> None:
    assert get(listener, "/?code=c&state=the+state")[0] == 404
    assert get(listener, "/favicon.ico")[0] == 404
    assert get(listener, f"{PATH}?code=c&state=the+state", Host="evil.example")[0] == 404
    assert get(listener, f"{PATH}?code=c&state=the+state", Host="localhost")[0] == 404
    assert listener.wait(0) is None


def test_a_return_by_another_name_of_this_machine_is_told_once() -> None:
    told: list[str] = []
    with LoopbackListener("s", tell=told.append) as listener:
        host = f"localhost:{port_of(listener)}"
        for state in ("other", "s", "s"):
            assert get(listener, f"{PATH}?code=c&state={state}", Host=host)[0] == 404
        assert get(listener, f"/?code=c&state={'s'}", Host=host)[0] == 404
        assert len(told) == 1
        assert host in told[0]
        assert listener.url.split("/")[2] in told[0]


def test_an_idle_connection_holds_nobody_up(listener: LoopbackListener) -> None:
    with socket.create_connection(("127.0.0.1", port_of(listener))):
        assert get(listener, f"{PATH}?code=c&state=the+state")[0] == 200


def test_it_listens_on_this_machine_alone(listener: LoopbackListener) -> None:
    assert listener._server.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_said(listener: LoopbackListener) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        LoopbackListener("x", port_of(listener))


def test_a_fixed_port_is_free_again_afterwards() -> None:
    port = free_port()
    with LoopbackListener("one", port) as first:
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


def test_another_user_is_turned_away() -> None:
    with OneUseAddress("https://secret.example/") as door:
        assert "Location" not in as_nobody(FETCH, door.url).out
        assert not door.was_used(0)
        assert get(door, urlsplit(door.url).path)[0] == 303


def test_the_right_redirect_of_another_user_is_none_and_told_once() -> None:
    told: list[str] = []
    with LoopbackListener("the state", tell=told.append) as listener:
        stolen = f"{listener.url}?code=c&state=the+state"
        for code in (FETCH, BURST):
            as_nobody(code, stolen)
        assert listener.wait(0) is None
        assert get(listener, f"{PATH}?code=d&state=the+state")[0] == 200
    assert len(told) == 1
    assert "another user" in told[0]


FETCH = """
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=120).headers)
except Exception as error:
    print(error)
"""
BURST = """
import socket, sys, urllib.parse
parts = urllib.parse.urlsplit(sys.argv[1])
request = f"GET {parts.path}?{parts.query} HTTP/1.1\\r\\nHost: {parts.netloc}\\r\\n\\r\\n".encode()
for _ in range(300):
    link = socket.create_connection((parts.hostname, parts.port), timeout=120)
    try:
        link.sendall(request)
    except OSError:
        pass
    link.close()
"""
