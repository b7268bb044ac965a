"""The http port: where bytes may go, how long it waits, what it repeats."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from broker.errors import NetworkError, UnexpectedReply
from broker.ports import http
from broker.ports.http import Http, HttpSession
from broker.ports.urls import origin
from broker.testing import FakeClock
from tests.sandbox import listening


class Server:
    """Answers from a script and keeps what it was asked."""

    def __init__(self) -> None:
        self.script: dict[str, list[tuple[int, dict[str, str], str]]] = {}
        self.seen: list[tuple[str, str, str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                path = self.path.partition("?")[0]
                outer.seen.append((self.command, path, body, dict(self.headers)))
                answers = outer.script.get(path, [(404, {}, "")])
                status, headers, text = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = _answer

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        listening.start(self._server)

    def says(self, path: str, *answers: tuple[int, dict[str, str], str]) -> str:
        self.script[path] = list(answers)
        return self.url + path

    def bodies(self, path: str) -> list[str]:
        return [body for _, seen, body, _ in self.seen if seen == path]

    def stop(self) -> None:
        listening.stop(self._server)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def other() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def session(clock: FakeClock) -> HttpSession:
    return Http(clock, {}).session()


def test_a_secret_goes_to_its_own_site_alone(
    server: Server, other: Server, session: HttpSession
) -> None:
    url = other.says("/login", (200, {}, ""))
    with pytest.raises(UnexpectedReply, match=url.removeprefix("http://").removesuffix("/login")):
        session.post(url, form={"password": "hunter2"}, only_to={origin(server.url)})
    assert other.seen == []


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_does_not_carry_a_secret_away(
    server: Server, other: Server, session: HttpSession, status: int
) -> None:
    away = other.says("/steal", (200, {}, ""))
    url = server.says("/login", (status, {"Location": away}, ""))
    with pytest.raises(UnexpectedReply):
        session.post(url, form={"password": "hunter2"}, only_to={origin(server.url)})
    assert other.seen == []


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_does_not_make_a_secret_be_sent_again(
    server: Server, session: HttpSession, status: int
) -> None:
    url = server.says("/login", (status, {"Location": "/login"}, ""))
    with pytest.raises(UnexpectedReply, match="once more"):
        session.post(url, form={"password": "hunter2"}, only_to={origin(server.url)})
    assert len(server.seen) == 1


def test_a_see_other_is_followed_without_the_body(
    server: Server, other: Server, session: HttpSession
) -> None:
    away = other.says("/next", (200, {}, "there"))
    url = server.says("/login", (303, {"Location": away}, ""))
    reply = session.post(url, form={"password": "hunter2"}, only_to={origin(server.url)})
    assert (reply.text, other.bodies("/next")) == ("there", [""])


def test_plain_http_to_another_machine_is_refused(session: HttpSession) -> None:
    with pytest.raises(UnexpectedReply, match="plain http"):
        session.get("http://sso.corp.example/login")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:1",
        "ftp://127.0.0.1/",
        "https://",
        "http://127.0.0.1:9\\@127.0.0.1:10/",  # the host that urllib3 reads is not urlsplit's
        "http://evil.example\\@127.0.0.1/",
        "https://user@login.example.com/",
        "https://login.exa\tmple.com/",
        "http://[bad/",
        "http://127.0.0.1:abc/",
    ],
)
def test_what_is_no_web_address_is_refused(session: HttpSession, url: str) -> None:
    with pytest.raises((UnexpectedReply, NetworkError)):
        session.get(url)


def test_a_redirect_to_plain_http_elsewhere_is_refused(
    server: Server, session: HttpSession
) -> None:
    url = server.says("/", (302, {"Location": "http://sso.corp.example/"}, ""))
    with pytest.raises(UnexpectedReply, match="plain http"):
        session.get(url)


def test_a_get_is_repeated_after_500(server: Server, session: HttpSession) -> None:
    url = server.says("/x", (500, {}, ""), (200, {}, "fine"))
    assert session.get(url).text == "fine"


def test_a_post_is_not_repeated(server: Server, session: HttpSession) -> None:
    url = server.says("/x", (503, {}, "busy"), (200, {}, "fine"))
    with pytest.raises(NetworkError, match="answered 503"):
        session.post(url, form={"code": "1"})
    assert len(server.seen) == 1


def test_a_post_without_secret_may_be_repeated(server: Server, session: HttpSession) -> None:
    url = server.says("/x", (503, {}, ""), (200, {}, "fine"))
    assert session.post(url, form={"a": "1"}, retry=True).text == "fine"
    assert server.bodies("/x") == ["a=1", "a=1"]


def test_retry_after_is_honoured(server: Server, session: HttpSession, clock: FakeClock) -> None:
    url = server.says("/x", (429, {"Retry-After": "7"}, ""), (200, {}, "fine"))
    session.get(url)
    assert clock.slept == [7.0]


def test_a_server_that_asks_for_too_much_patience_is_a_network_error(
    server: Server, session: HttpSession, clock: FakeClock
) -> None:
    url = server.says("/x", (429, {"Retry-After": "3600"}, ""))
    with pytest.raises(NetworkError, match="429"):
        session.get(url)
    assert clock.slept == []


def test_nobody_there_is_a_network_error(session: HttpSession) -> None:
    with pytest.raises(NetworkError, match="cannot be reached") as failed:
        session.get("http://127.0.0.1:9/")
    assert failed.value.hint


def test_a_reply_without_end_is_cut(
    server: Server, session: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 1000)
    url = server.says("/x", (200, {}, "a" * 2000))
    with pytest.raises(UnexpectedReply, match="more than"):
        session.get(url)


def test_redirects_without_end_are_cut(server: Server, session: HttpSession) -> None:
    url = server.says("/x", (302, {"Location": "/x"}, ""))
    with pytest.raises(UnexpectedReply, match="without end"):
        session.get(url)


def test_secure_cookies_come_back_on_loopback(server: Server, session: HttpSession) -> None:
    session.get(server.says("/a", (200, {"Set-Cookie": "id=1; Secure; HttpOnly; Path=/"}, "")))
    session.get(server.says("/b", (200, {}, "")))
    assert server.seen[-1][3]["Cookie"] == "id=1"


def test_a_cookies_path_that_is_none_does_not_count(server: Server, session: HttpSession) -> None:
    session.get(server.says("/a", (200, {"Set-Cookie": 'id=1; Version=1; Path="/"'}, "")))
    session.get(server.says("/b", (200, {}, "")))
    assert server.seen[-1][3]["Cookie"] == "id=1"


def test_a_netrc_adds_no_password(
    server: Server, session: HttpSession, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password hunter2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    session.get(server.says("/a", (200, {}, "")))
    assert "Authorization" not in server.seen[-1][3]


def test_origins_are_compared_whole() -> None:
    assert origin("https://Login.Example.com/x?y") == "https://login.example.com:443"
    assert origin("https://login.example.com:8443") != origin("https://login.example.com")
    with pytest.raises(UnexpectedReply):
        origin("https://login.example.com@evil.example/")


def test_a_reply_that_drips_ends_in_time(
    session: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.ports.http.DEADLINE", 2)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.02)

        threading.Thread(target=drip, daemon=True).start()
        with pytest.raises(NetworkError, match="did not end its reply"):
            session.get(f"http://127.0.0.1:{listener.getsockname()[1]}/")


def test_no_request_begins_once_the_time_is_up(server: Server) -> None:
    clock = FakeClock()
    session = HttpSession(clock, {}, lambda: clock.advance(http.DEADLINE))
    server.says("/next", (200, {}, ""))
    with pytest.raises(NetworkError, match="did not end its reply"):
        session.get(server.says("/first", (302, {"Location": "/next"}, "")))
    assert [asked[1] for asked in server.seen] == ["/first"]
