"""Addresses: whose they are, and whether bytes may go there. Opens nothing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import SplitResult, urljoin, urlsplit

from broker.errors import UnexpectedReply

_PORTS = {"https": 443, "http": 80}
_ODD = re.compile(r"[\x00-\x1f\x7f]|^\s")
_ODD_HOST = re.compile(r"[\\@\s]")


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine, by name or by address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


def parts_of(url: str) -> SplitResult:
    """The parts of an http(s) address that every client reads alike.

    A backslash, a user name or a control character makes one client see another host than the next,
    so an address with one is refused.

    Raises:
        UnexpectedReply: Not such an address.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in _PORTS and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        known = False
    if not known or _ODD.search(url) or _ODD_HOST.search(parts.netloc):
        raise UnexpectedReply(f"not a web address: {without_query(url)!r}")
    return parts


def origin(url: str) -> str:
    """`scheme://host:port` of a URL, in lower case, the port always written.

    Raises:
        UnexpectedReply: Not an http(s) URL.
    """
    parts = parts_of(url)
    host = (parts.hostname or "").lower()
    port = parts.port or _PORTS[parts.scheme]
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def joined(base: str, reference: str) -> str:
    """A link of a page or a reply, made absolute.

    Raises:
        UnexpectedReply: It is no address.
    """
    try:
        return urljoin(base, reference)
    except ValueError:
        raise UnexpectedReply(f"{without_query(base)} holds a link that is no address") from None


def without_query(url: str) -> str:
    """A URL as it may be shown: its query, fragment and user part may hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme else parts.path


def require_origin(url: str, allowed: Collection[str]) -> None:
    """Refuse an address whose origin may not see a secret.

    Raises:
        UnexpectedReply: It is not among the allowed ones.
    """
    if origin(url) not in allowed:
        raise UnexpectedReply(
            f"the sign-in page wants the secret sent to {urlsplit(url).netloc},"
            " which is not this provider's site; nothing was sent",
            hint="if that host is right, add it to `hosts` of the provider",
        )


def host_of(url: str) -> str:
    """The host of a URL, with its port where it names one, as a person may be shown it.

    Letters beyond ASCII are written out (`xn--…`): some look like those of another host.
    """
    parts = parts_of(url)
    host = parts.hostname or ""
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        host = ascii(host)[1:-1]
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port}" if parts.port else host


def require_safe(url: str) -> None:
    """Refuse plain http to anything but this machine.

    Raises:
        UnexpectedReply: The URL leads over plain http to another machine, or is no web address.
    """
    parts = parts_of(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise UnexpectedReply(
            f"refusing plain http to {parts.netloc}",
            hint="use https; plain http is accepted for loopback addresses alone",
        )
