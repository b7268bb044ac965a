"""The way to AWS and to the identity providers: certificates, proxies, endpoints, the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broker.doctor.finding import Finding, Machine
from broker.errors import AwsLoginError, NetworkError
from broker.ports.aws_endpoints import endpoint_override
from broker.ports.clock import Clock
from broker.ports.parallel import in_parallel
from broker.ports.urls import is_loopback, without_query

CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
PROXY_VARIABLES = (*_PROXIES, *map(str.lower, _PROXIES))
SKEW_WARNING_SECONDS, SKEW_ERROR_SECONDS = 60, 300
"""AWS refuses a signature that is more than five minutes off (SigV4)."""
MOST_PROVIDERS = 20
_ADDRESSES = ("start_url", "url", "issuer")


def certificates(machine: Machine) -> Iterator[Finding]:
    """Every CA file that a variable names: there, readable, with a certificate in it."""
    named = {name: machine.environ[name] for name in CA_VARIABLES if machine.environ.get(name)}
    for name, file in named.items():
        mend = f"correct {name}, or unset it"
        try:
            content = Path(file).read_bytes()
        except OSError as error:
            yield Finding("tls", "error", f"{name}={file}: {error.strerror}", mend)
            continue
        if b"-----BEGIN CERTIFICATE-----" in content:
            yield Finding("tls", "ok", f"{name}={file} holds certificates")
        else:
            yield Finding("tls", "error", f"{name}={file} holds no certificate", mend)
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
    region = machine.environ.get("AWS_REGION") or "us-east-1"
    address = endpoint_override("sts", machine.environ) or f"https://sts.{region}.amazonaws.com"
    before = time.time()
    try:
        reply = _session(machine).get(address, follow=False)
    except NetworkError as error:
        yield Finding("network", "error", f"AWS: {error.message}", error.hint, error.exit_code)
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


def providers(machine: Machine) -> Iterator[Finding]:
    """The addresses of the config's providers, where it is trusted."""
    config = machine.config
    if config is None or not config.trusted:
        return
    places: dict[str, str] = {}
    for name in config.provider_names[:MOST_PROVIDERS]:
        try:
            options = config.provider(name).options
        except AwsLoginError:
            continue  # told by the check of the config
        addresses = (getattr(options, key, None) for key in _ADDRESSES)
        address = next((one for one in addresses if isinstance(one, str)), None)
        if address:
            places[name] = address

    def look(name: str) -> Finding:
        host = _host(places[name])
        try:
            _session(machine).get(places[name], follow=False)
        except NetworkError as error:
            return Finding("network", "error", f"{name}: {error.message}", error.hint, 5)
        except AwsLoginError as error:
            return Finding("network", "warning", f"{name}: {error.message}", error.hint)
        return Finding("network", "ok", f"{name}: {host} answers")

    yield from in_parallel(look, list(places), at_once=8)


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
