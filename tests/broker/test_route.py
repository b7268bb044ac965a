"""CA files and proxies that do not serve: each fault names variable, file or proxy, host, mend."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.errors import AwsLoginError, ConfigError, NetworkError
from broker.ports.aws import Aws
from broker.ports.http import Http
from broker.testing import FakeClock

HOST = "login.corp.example"
STS = "sts.eu-west-1.amazonaws.com"
PROXIES = (
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
)


class Proxy(socketserver.ThreadingTCPServer):
    """Answers every CONNECT with one status, and keeps what it was asked."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        self.status = "403 Forbidden"
        self.asked: list[str] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.asked.append(self.rfile.readline().decode())
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(f"HTTP/1.1 {outer.status}\r\nContent-Length: 0\r\n\r\n".encode())

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as running:
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


def by_page(environ: dict[str, str]) -> None:
    Http(FakeClock(), environ).session().post(f"https://{HOST}/login", form={"a": "b"})


def by_aws(environ: dict[str, str]) -> None:
    aws = Aws(environ)
    with aws.errors("GetCallerIdentity"):
        aws.client("sts", "eu-west-1", once=True).get_caller_identity()


CALLS = pytest.mark.parametrize(("call", "host"), [(by_page, HOST), (by_aws, STS)])
Call = Callable[[dict[str, str]], None]


def fault(call: Call, environ: dict[str, str], kind: type[AwsLoginError]) -> str:
    with pytest.raises(kind) as failed:
        call(environ)
    return f"{failed.value.message} → {failed.value.hint}"


@CALLS
@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (None, "does not exist"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_text("no certificate\n"), "holds no certificate"),
        (lambda path: path.write_bytes(b""), "holds no certificate"),
        (lambda path: path.symlink_to(path), "cannot be read"),
    ],
)
def test_a_ca_file_that_is_none(
    tmp_path: Path,
    *,
    call: Call,
    host: str,
    variable: str,
    make: Callable[[Path], object] | None,
    why: str,
) -> None:
    del host
    path = tmp_path / "ca.pem"
    if make:
        make(path)
    told = fault(call, {variable: str(path)}, ConfigError)
    assert f"{variable} names {path}, which {why}" in told
    assert "unset it" in told


@CALLS
@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("407 Proxy Authentication Required", "USER:PASSWORD@"),
        ("403 Forbidden", "does not allow it"),
        ("502 Bad Gateway", "answered 502"),
        ("503 Service Unavailable", "answered 503"),
    ],
)
def test_a_proxy_that_says_no(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, *, call: Call, host: str, status: str, says: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//ann:hunter2secret@"))
    proxy.status = status
    told = fault(call, {"HTTPS_PROXY": proxy.url}, NetworkError)
    assert all(part in told for part in (says, host, "HTTPS_PROXY", proxy.url, "NO_PROXY"))
    assert "hunter2secret" not in told
    assert proxy.asked[0].startswith(f"CONNECT {host}:443")


@CALLS
@pytest.mark.parametrize("variable", ["ALL_PROXY", "all_proxy"])
def test_a_proxy_for_everything(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, *, call: Call, host: str, variable: str
) -> None:
    """botocore itself does not know it; the one for https comes before it, and NO_PROXY above."""
    monkeypatch.setenv(variable, proxy.url)
    told = fault(call, {variable: proxy.url}, NetworkError)
    assert f"({variable}) does not allow it" in told
    assert proxy.asked[0].startswith(f"CONNECT {host}:443")
    before = len(proxy.asked)
    monkeypatch.setenv("NO_PROXY", host)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: 1 / 0)
    with pytest.raises((AwsLoginError, ZeroDivisionError)):
        call({variable: proxy.url})
    assert len(proxy.asked) == before
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY")
    assert "SOCKS" in fault(call, {"https_proxy": "socks5://127.0.0.1:1"}, ConfigError)


@CALLS
def test_a_proxy_that_is_not_there(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, call: Call, host: str
) -> None:
    proxy.shutdown()
    proxy.server_close()
    monkeypatch.setenv("https_proxy", proxy.url)
    told = fault(call, {"https_proxy": proxy.url}, NetworkError)
    assert all(part in told for part in ("does not answer", host, "https_proxy", proxy.url))


@CALLS
@pytest.mark.parametrize(
    "address",
    [
        "htp://proxy.corp:3128",
        "http//proxy.corp:3128",
        "http://proxy.corp:99999",
        "proxy.corp:port",
    ],
)
def test_a_misspelt_proxy(
    monkeypatch: pytest.MonkeyPatch, call: Call, host: str, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    told = fault(call, {"HTTPS_PROXY": address}, ConfigError)
    assert all(part in told for part in ("no address of a proxy", host, "HTTPS_PROXY", address))


@CALLS
@pytest.mark.parametrize("address", ["socks5://proxy.corp:1080", "socks5h://u:p@proxy.corp:1080"])
def test_a_socks_proxy(
    monkeypatch: pytest.MonkeyPatch, call: Call, host: str, address: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    told = fault(call, {"HTTPS_PROXY": address}, ConfigError)
    assert all(part in told for part in ("SOCKS", host, "HTTPS_PROXY", "http://HOST:PORT"))
    assert "u:p@" not in told


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_loopback_never_goes_through_a_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    with Proxy() as here:
        here.status = "200 OK"
        session = Http(FakeClock(), {}).session()
        session.post(f"{here.url}/login", form={"password": "hunter2"})
        session.get(here.url.replace("127.0.0.1", "localhost"))
        aws = Aws({"AWS_ENDPOINT_URL": here.url})
        with pytest.raises(AwsLoginError), aws.errors("GetCallerIdentity"):
            aws.client("sts", "eu-west-1", once=True).get_caller_identity()
        assert len(here.asked) == 3
        here.shutdown()
    assert proxy.asked == []
