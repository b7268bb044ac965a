"""The way to AWS and to the identity providers: certificates, proxies, endpoints, the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from broker.doctor.finding import Finding, Machine
from broker.errors import AwsLoginError, NetworkError
from broker.ports.aws_endpoints import endpoint_override
from broker.ports.clock import Clock
from broker.ports.probes import name_fault
from broker.ports.route import ca_fault
from broker.ports.urls import is_loopback, without_query
from broker.regions import flaw_in_region

CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
PROXY_VARIABLES = (*_PROXIES, *map(str.lower, _PROXIES))
SKEW_WARNING_SECONDS, SKEW_ERROR_SECONDS = 60, 300
"""AWS refuses a signature that is more than five minutes off (SigV4)."""
MOST_PROVIDERS = 20
ANSWER_SECONDS = 6.0
"""For each host and each name."""
Answer = TypeVar("Answer")
_ADDRESSES = ("start_url", "url", "issuer")


def certificates(machine: Machine) -> Iterator[Finding]:
    """Every CA file that a variable names: there, readable, with a certificate in it."""
    named = {name: machine.environ[name] for name in CA_VARIABLES if machine.environ.get(name)}
    for name, file in named.items():
        fault = ca_fault(Path(file))
        if not fault:
            yield Finding("tls", "ok", f"{name}={file} holds certificates")
        else:
            mend = f"correct {name}, or unset it"
            yield Finding("tls", "error", f"{name}={file} {fault}", mend)
    if not named:
        yield Finding("tls", "ok", "the operating system's certificates are trusted")


def proxy(machine: Machine) -> Iterator[Finding]:
    """The proxies that the environment names."""
    named = {name: machine.environ[name] for name in PROXY_VARIABLES if machine.environ.get(name)}
    for name, url in named.items():
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            good = parts.scheme in {"http", "https"} and parts.hostname and parts.port is not None
        except ValueError:
            good = False
        shown = without_query(url)
        if good:
            yield Finding("proxy", "info", f"{name}: requests go through {shown}")
        else:
            yield Finding(
                "proxy",
                "error",
                f"{name} is no proxy that can be used: {shown}",
                f"set {name} to http://HOST:PORT, or unset it",
            )
    if not named:
        yield Finding("proxy", "ok", "no proxy is set")


def replaced_endpoints(machine: Machine) -> Iterator[Finding]:
    """Hosts that stand in for AWS: sessions and assertions go there."""
    names = [name for name in machine.environ if name.startswith("AWS_ENDPOINT_URL")]
    names += ["AWSLOGIN_FEDERATION_URL"]
    found = False
    for name in names:
        host = _host(machine.environ.get(name, ""))
        if host and not is_loopback(host):
            found = True
            yield Finding(
                "endpoints", "warning", f"{name}: {host} stands in for AWS", f"unset {name}"
            )
    if not found:
        yield Finding("endpoints", "ok", "AWS's own endpoints are used")


def clock(machine: Machine) -> Iterator[Finding]:
    """This machine's clock against STS's."""
    address = _clock_address(machine)
    before = time.time()
    try:
        reply = _session(machine).get(address, follow=False)
    except NetworkError as error:
        yield Finding("network", "error", f"AWS: {error.message}", error.hint, error.exit_code)
        yield Finding("clock", "info", "was not compared: AWS could not be asked for the time")
        return
    after = time.time()
    try:
        theirs = parsedate_to_datetime(reply.headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        yield Finding("clock", "info", f"{_host(address)} does not say what time it is")
        return
    skew = max(theirs - after, before - theirs - 1, 0.0)  # the header has whole seconds
    if skew < SKEW_WARNING_SECONDS:
        yield Finding("clock", "ok", f"agrees with {_host(address)}")
        return
    yield Finding(
        "clock",
        "error" if skew >= SKEW_ERROR_SECONDS else "warning",
        f"this machine's clock is {skew:.0f} s off from {_host(address)}: AWS refuses signatures"
        " and tokens",
        "set the clock, for example `sudo timedatectl set-ntp true`",
    )


def names(machine: Machine) -> Iterator[Finding]:
    """Whether the names of AWS's hosts and of the providers' lead to addresses."""
    if any(machine.environ.get(name) for name in PROXY_VARIABLES):
        yield Finding("dns", "info", "the proxy looks up the names of hosts")
        return
    hosts = {_host(address) for address in (_clock_address(machine), *_places(machine).values())}
    faults: dict[str, list[str]] = {}
    for host, fault in _asked(name_fault, sorted(hosts - {""})):
        if fault != "":
            why = fault or f"no answer within {ANSWER_SECONDS:.0f} s"
            faults.setdefault(why, []).append(host)
    for why, unknown in faults.items():
        mend = "check the network (a VPN?), the name server of this machine, and the names"
        yield Finding(
            "dns", "error", f"no address is found for {', '.join(unknown)}: {why}", mend, 5
        )
    if not faults:
        yield Finding("dns", "ok", f"addresses are found for {', '.join(sorted(hosts - {''}))}")


def providers(machine: Machine) -> Iterator[Finding]:
    """The addresses of the config's providers, where it is trusted."""
    places = _places(machine)

    def look(name: str) -> Finding:
        host = _host(places[name])
        try:
            _session(machine).get(places[name], follow=False)
        except NetworkError as error:
            return Finding("network", "error", f"{name}: {error.message}", error.hint, 5)
        except AwsLoginError as error:
            return Finding("network", "warning", f"{name}: {error.message}", error.hint)
        return Finding("network", "ok", f"{name}: {host} answers")

    for name, finding in _asked(look, list(places)):
        message = f"{name}: {_host(places[name])} did not answer within {ANSWER_SECONDS:.0f} s"
        mend = "check the network, the proxy and the address, then try again"
        yield finding or Finding("network", "error", message, mend, 5)


def _places(machine: Machine) -> dict[str, str]:
    """Provider → address, of a config that is trusted."""
    config = machine.config
    if config is None or not config.trusted:
        return {}
    places: dict[str, str] = {}
    for name in config.provider_names[:MOST_PROVIDERS]:
        try:
            options = config.provider(name).options
        except AwsLoginError:
            continue  # told by the check of the config
        addresses = (getattr(options, key, None) for key in _ADDRESSES)
        address = next((value for value in addresses if isinstance(value, str)), None)
        if address:
            places[name] = address
    return places


def _asked(
    ask: Callable[[str], Answer], names: Sequence[str]
) -> Iterator[tuple[str, Answer | None]]:
    """Each name with its answer, asked for all at once; None where none came in time."""
    answers: dict[str, Answer] = {}

    def work(name: str) -> None:
        answers[name] = ask(name)

    threads = {name: threading.Thread(target=work, args=(name,), daemon=True) for name in names}
    for thread in threads.values():
        thread.start()
    end = time.monotonic() + ANSWER_SECONDS
    for name, thread in threads.items():
        thread.join(max(0.0, end - time.monotonic()))
        yield name, answers.get(name)


def _clock_address(machine: Machine) -> str:
    """Of STS, whose time is AWS's."""
    region = machine.environ.get("AWS_REGION") or "us-east-1"
    region = "us-east-1" if flaw_in_region(region) else region
    return endpoint_override("sts", machine.environ) or f"https://sts.{region}.amazonaws.com"


def _session(machine: Machine) -> Any:
    from broker.ports.http import Http

    return Http(_Impatient(), machine.environ).session()


class _Impatient(Clock):
    """A clock by which nothing is tried a second time: an examination has ten seconds."""

    def sleep(self, seconds: float) -> None:
        """Do not wait."""
        del seconds


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
