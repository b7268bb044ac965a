"""The container endpoint: who gets credentials from it, and who does not."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from broker.agent import endpoint as endpoint_module
from broker.agent.endpoint import PATH, WORKERS, CredentialsEndpoint
from broker.errors import NetworkError
from broker.secret import Secret
from tests.crowd import until
from tests.strangers import as_nobody, started_as_nobody
from tests.support import PATIENCE

BODY = json.dumps({"AccessKeyId": "ASIA1", "Token": "t"}).encode()


class Source:
    """Gives credentials, or fails."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None

    def __call__(self) -> bytes:
        self.calls += 1
        if self.error:
            raise self.error
        return BODY


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def served(source: Source) -> Iterator[dict[str, str]]:
    with CredentialsEndpoint({PATH: source}) as endpoint:
        yield endpoint.environ()


def url(served: dict[str, str]) -> str:
    return served["AWS_CONTAINER_CREDENTIALS_FULL_URI"]


def token(served: dict[str, str]) -> dict[str, str]:
    return {"Authorization": served["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}


def raw(served: dict[str, str], request: bytes) -> str:
    parts = urlsplit(url(served))
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as client:
        client.sendall(request)
        reply = b""
        while more := client.recv(4096):
            reply += more
    return reply.decode()


def test_the_token_gets_fresh_credentials_each_time(served: dict[str, str], source: Source) -> None:
    for _ in range(3):
        reply = requests.get(url(served), headers=token(served), timeout=PATIENCE)
        assert (reply.status_code, reply.content) == (200, BODY)
        assert reply.headers["Cache-Control"] == "no-store"
    assert source.calls == 3


def test_it_is_bound_to_loopback_alone_and_each_has_a_token_of_its_own() -> None:
    one, other = CredentialsEndpoint({PATH: Source()}), CredentialsEndpoint({PATH: Source()})
    with one, other:
        assert url(one.environ()).startswith("http://127.0.0.1:")
        assert token(one.environ()) != token(other.environ())
        assert len(token(one.environ())["Authorization"]) >= 43
        theirs = requests.get(url(one.environ()), headers=token(other.environ()), timeout=PATIENCE)
        assert theirs.status_code == 403
        port = urlsplit(url(one.environ())).port
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=PATIENCE)


@pytest.mark.parametrize(
    "authorization", [None, "", "wrong", "Bearer {}", "{}x", "x{}", "é"], ids=repr
)
def test_a_wrong_token_is_refused(
    served: dict[str, str], source: Source, authorization: str | None
) -> None:
    headers: dict[str, Any] = {}
    if authorization is not None:
        right = token(served)["Authorization"]
        headers["Authorization"] = authorization.format(right).encode("latin-1")
    assert requests.get(url(served), headers=headers, timeout=PATIENCE).status_code == 403
    assert source.calls == 0


@pytest.mark.parametrize("host", ["evil.example", "localhost:{port}", "127.0.0.1", "", "[::1]"])
def test_a_foreign_host_is_refused(served: dict[str, str], source: Source, host: str) -> None:
    named = host.format(port=urlsplit(url(served)).port)
    reply = requests.get(url(served), headers=token(served) | {"Host": named}, timeout=PATIENCE)
    assert reply.status_code == 403
    assert source.calls == 0


def test_a_page_in_a_browser_gets_no_leave(served: dict[str, str], source: Source) -> None:
    asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    preflight = requests.options(url(served), headers=asking, timeout=PATIENCE)
    assert preflight.status_code == 405
    got = requests.get(url(served), headers=token(served) | asking, timeout=PATIENCE)
    for reply in (preflight, got):
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "get"])
def test_get_alone(served: dict[str, str], source: Source, method: str) -> None:
    parts = urlsplit(url(served))
    reply = raw(
        served,
        f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: {token(served)['Authorization']}\r\nContent-Length: 3\r\n\r\na=b".encode(),
    )
    assert reply.startswith("HTTP/1.1 405 ")
    assert "Allow: GET" in reply
    assert source.calls == 0


def test_a_posted_body_does_not_cut_the_reply_off(served: dict[str, str]) -> None:
    reply = requests.post(url(served), data=b"x" * 30_000, headers=token(served), timeout=PATIENCE)
    assert reply.status_code == 405


@pytest.mark.parametrize("path", ["/", "/credentials/", "/credentials?x=1", "//credentials"])
def test_another_path_is_not_there(served: dict[str, str], path: str) -> None:
    parts = urlsplit(url(served))
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
    assert raw(served, request.encode()).startswith("HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "request_",
    [
        "GET /credentials\r\n\r\n",
        "GET /credentials HTTP/2\r\nHost: {host}\r\n\r\n",
        "GET /credentials HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n",
        "GET /credentials HTTP/1.1\r\nHost : {host}\r\n\r\n",
        "GET /credentials HTTP/1.1\r\nHost: {host}\r\n folded: {token}\r\n\r\n",
        "\x16\x03\x01\x00\r\n\r\n",
        "GET /credentials HTTP/1.1\r\nX: " + "x" * 20_000 + "\r\n\r\n",
    ],
)
def test_what_no_sdk_sends_is_refused(
    served: dict[str, str], source: Source, request_: str
) -> None:
    host = urlsplit(url(served)).netloc
    sent = request_.format(host=host, token=token(served)["Authorization"])
    assert raw(served, sent.encode("latin-1")).startswith("HTTP/1.1 400 ")
    assert source.calls == 0


def test_a_slow_client_is_let_go(served: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "HEAD_SECONDS", 1)
    parts = urlsplit(url(served))
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) as client:
        client.sendall(b"GET /credentials HTTP/1.1\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_silent_clients_do_not_keep_others_out(
    served: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "HEAD_SECONDS", 2 * PATIENCE)
    parts = urlsplit(url(served))
    silent = [
        socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE) for _ in range(300)
    ]
    try:
        assert requests.get(url(served), headers=token(served), timeout=PATIENCE).status_code == 200
    finally:
        for client in silent:
            client.close()


def test_many_at_once(served: dict[str, str], source: Source) -> None:
    def get(_: int) -> int:
        return requests.get(url(served), headers=token(served), timeout=PATIENCE).status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(get, range(100))) == {200}
    assert source.calls == 100


def test_a_failed_refresh_is_told_without_its_secrets(
    served: dict[str, str], source: Source
) -> None:
    source.error = NetworkError(f"no answer for {Secret('hunter2 is secret').reveal()}")
    reply = requests.get(url(served), headers=token(served), timeout=PATIENCE)
    assert reply.status_code == 503
    assert reply.json() == {"code": "network", "message": "no answer for ********"}


def test_a_defect_is_not_told(
    served: dict[str, str], source: Source, capfd: pytest.CaptureFixture[str]
) -> None:
    source.error = RuntimeError("wJalrXUtnFEMI")
    reply = requests.get(url(served), headers=token(served), timeout=PATIENCE)
    assert reply.status_code == 500
    assert "wJalr" not in reply.text
    assert capfd.readouterr() == ("", "")


def test_nothing_is_logged_and_the_port_closes(
    source: Source, capfd: pytest.CaptureFixture[str]
) -> None:
    with CredentialsEndpoint({PATH: source}) as endpoint:
        served = endpoint.environ()
        requests.get(url(served), headers=token(served), timeout=PATIENCE)
        requests.get(url(served), timeout=PATIENCE)
    until(lambda: is_closed(served))
    assert capfd.readouterr() == ("", "")


def is_closed(served: dict[str, str]) -> bool:
    parts = urlsplit(url(served))
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return True
    return False


STARVE = """
import socket, sys, time
links = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(200)]
print("up", flush=True)
time.sleep(600)
"""
TAKE = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": sys.argv[2]})
try:
    print(urllib.request.urlopen(request, timeout=120).read())
except Exception as error:
    print(type(error).__name__)
"""


def test_another_user_gets_nothing_with_the_right_token(
    served: dict[str, str], source: Source
) -> None:
    done = as_nobody(TAKE, url(served), token(served)["Authorization"])
    assert "ASIA1" not in done.out
    assert source.calls == 0


def test_another_users_idle_connections_take_no_place(
    served: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "MAX_CONNECTIONS", 100)
    monkeypatch.setattr(endpoint_module, "HEAD_SECONDS", 2 * PATIENCE)
    with started_as_nobody(STARVE, str(urlsplit(url(served)).port)) as stranger:
        assert stranger.stdout
        assert stranger.stdout.readline() == "up\n"
        try:
            assert requests.get(url(served), headers=token(served), timeout=PATIENCE).ok
        finally:
            stranger.kill()


def test_a_token_is_refused_once_there_are_new_ones(source: Source) -> None:
    with CredentialsEndpoint({PATH: source}) as endpoint:
        old = endpoint.environ()
        endpoint.new_tokens()
        assert requests.get(url(old), headers=token(old), timeout=PATIENCE).status_code == 403
        new = endpoint.environ()
        assert url(new) == url(old)
        assert requests.get(url(new), headers=token(new), timeout=PATIENCE).ok


def test_each_path_has_a_source_and_a_token_of_its_own(source: Source) -> None:
    with CredentialsEndpoint({"/a": source, "/b": lambda: b"{}"}) as endpoint:
        a, b = endpoint.environ("/a"), endpoint.environ("/b")
        assert requests.get(url(a), headers=token(a), timeout=PATIENCE).content == BODY
        assert requests.get(url(b), headers=token(b), timeout=PATIENCE).content == b"{}"
        assert requests.get(url(a), headers=token(b), timeout=PATIENCE).status_code == 403


def test_a_slow_source_holds_up_nobody_else() -> None:
    """However many ask for it."""
    may_end, asked = threading.Event(), threading.Semaphore(0)

    def slow_source() -> bytes:
        asked.release()
        return b"{}" if may_end.wait(PATIENCE) else b""

    sources = {"/slow": slow_source, "/quick": lambda: BODY}
    with CredentialsEndpoint(sources) as endpoint, ThreadPoolExecutor(20) as pool:
        slow, quick = endpoint.environ("/slow"), endpoint.environ("/quick")
        waiting = [
            pool.submit(requests.get, url(slow), headers=token(slow), timeout=PATIENCE)
            for _ in range(20)
        ]
        try:
            for _ in range(WORKERS):
                assert asked.acquire(timeout=PATIENCE)
            assert requests.get(url(quick), headers=token(quick), timeout=PATIENCE).content == BODY
        finally:
            may_end.set()
        assert {one.result().content for one in waiting} == {b"{}"}
