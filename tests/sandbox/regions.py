"""Identity Center in two Regions, at AWS's own host names: a proxy leads those to this sandbox.

with TwoRegions(sandbox, folder) as regions:
    regions.env()                     # HTTPS_PROXY, AWS_CA_BUNDLE
    regions.start_url                 # of the first Region; each has an address of its own
    regions.oidc["eu-central-1"]      # each knows its own registrations and tokens alone
    regions.dead["eu-west-1"] = "tls" # or "refused"
    regions.redirect("sso.corp.example", "https://…")  # a company's own address
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.real.parts import certificate
from tests.sandbox.identity_center import Oidc, Portal
from tests.sandbox.keys import rsa_key
from tests.sandbox.server import FOR_EVER, Answer, Asked, Fault, Service

if TYPE_CHECKING:
    from tests.sandbox import Sandbox

FIRST, SECOND = "eu-west-1", "eu-central-1"
COMPANY = "sso.corp.example"


class TwoRegions:
    """The two, and whatever else has a name there."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._services: list[Service] = []
        self._places: dict[str, int] = {}
        self._region_of: dict[str, str] = {}
        self.dead: dict[str, str] = {}
        self.oidc = {region: self._region(region) for region in (FIRST, SECOND)}
        self.start_url = self.oidc[FIRST].start_url
        names = [*self._places, COMPANY]
        self._good = _context(folder / "good", names)
        self._bad = _context(folder / "bad", names)
        self._proxy = _proxy(self)

    def __enter__(self) -> Self:
        threading.Thread(target=self._proxy.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._proxy.shutdown()
        self._proxy.server_close()
        for service in self._services:
            service.stop()

    def env(self) -> dict[str, str]:
        """The variables that lead to AWS's hosts here."""
        url = f"http://127.0.0.1:{self._proxy.server_address[1]}"
        return {"HTTPS_PROXY": url, "AWS_CA_BUNDLE": str(self._folder / "good.crt")}

    def calls(self, region: str, path: str | None = None) -> list[Asked]:
        """What a Region was asked."""
        names = {f"oidc.{region}", f"portal.{region}"}
        asked = [one for one in self._sandbox.requests if one.service in names]
        return [one for one in asked if path in {None, one.path}]

    def answer(self, host: str, answer: Callable[[Asked], Answer]) -> None:
        """A web server of this name, `COMPANY` for one."""
        self._serve(host, host, answer)

    def redirect(self, host: str, target: str) -> None:
        """A web server of this name that leads elsewhere."""
        self.answer(host, lambda _: Answer(302, "", {"Location": target}))

    def _region(self, region: str) -> Oidc:
        oidc = Oidc(self._sandbox.world)
        oidc.start_url = f"https://ssoins-1.{region}.portal.amazonaws.com"
        oidc.url = f"https://oidc.{region}.amazonaws.com"
        portal = Portal(self._sandbox.world, oidc)
        for host, name, handle in (
            (f"oidc.{region}.amazonaws.com", f"oidc.{region}", oidc.handle),
            (f"portal.sso.{region}.amazonaws.com", f"portal.{region}", portal.handle),
        ):
            self._serve(host, name, handle)
            self._region_of[host] = region
        return oidc

    def _serve(self, host: str, name: str, handle: Callable[[Asked], Answer]) -> None:
        service = Service(name, handle, self._sandbox.requests)
        self._services.append(service)
        self._places[host] = service.port

    def fault(self, region: str, status: int) -> None:
        """Both services of a Region answer so from now on; `heal` ends it."""
        for service in self._services:
            if service.name.endswith(f".{region}"):
                service.fault(Fault(None, Answer(status, "{}")))

    def silence(self, region: str) -> None:
        """Both services of a Region take what they are sent and never answer."""
        for service in self._services:
            if service.name.endswith(f".{region}"):
                service.fault(Fault(None, hang=FOR_EVER))

    def heal(self, region: str) -> None:
        """A Region works again."""
        self.dead.pop(region, None)
        for service in self._services:
            if service.name.endswith(f".{region}"):
                service.heal()

    def connected(self, client: socket.socket, host: str) -> None:
        """One CONNECT."""
        trouble = self.dead.get(self._region_of.get(host, ""), "")
        if host not in self._places or trouble == "refused":
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        context = self._bad if trouble == "tls" else self._good
        with (
            context.wrap_socket(client, server_side=True) as inside,
            socket.create_connection(("127.0.0.1", self._places[host])) as service,
        ):
            threading.Thread(target=_pump, args=(inside, service), daemon=True).start()
            _pump(service, inside)


def _proxy(regions: TwoRegions) -> socketserver.ThreadingTCPServer:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words = self.rfile.readline().split()
            while self.rfile.readline().strip():
                pass
            with contextlib.suppress(OSError):
                regions.connected(self.request, words[1].decode().partition(":")[0])

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    return Server(("127.0.0.1", 0), Handler)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _context(path: Path, names: list[str]) -> ssl.SSLContext:
    """A server of these names, whose certificate `path`.crt vouches for itself."""
    certificate.write(path.parent, path.name, hosts=names, key=rsa_key(path.name))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path.with_suffix(".crt"), path.with_suffix(".pem"))
    return context
