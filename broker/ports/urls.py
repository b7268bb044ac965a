"""Addresses: whose they are, and whether bytes may go there. Opens nothing."""

from __future__ import annotations

import ipaddress
from urllib.parse import urljoin, urlsplit

from broker.errors import UnexpectedReply


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine, by name or by address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


def origin(url: str) -> str:
    """`scheme://host:port` of a URL, in lower case, the port always written.

    Raises:
        UnexpectedReply: Not an http(s) URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise UnexpectedReply(f"not a web address: {without_query(url)!r}") from error
    host = (parts.hostname or "").lower()
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def join(base: str, target: str) -> str:
    """An address that a page or a reply names, absolute.

    Raises:
        UnexpectedReply: Not an address.
    """
    try:
        return urljoin(base, target)
    except ValueError as error:
        raise UnexpectedReply(f"{without_query(base)} names a broken address") from error


def without_query(url: str) -> str:
    """A URL as it may be shown: its query, fragment and user part may hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a broken address"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme else parts.path


def require_safe(url: str) -> None:
    """Refuse plain http to anything but this machine.

    Raises:
        UnexpectedReply: The URL leads over plain http to another machine, or is no web address.
    """
    parts = urlsplit(origin(url))
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise UnexpectedReply(
            f"refusing plain http to {parts.netloc}",
            hint="use https; plain http is accepted for loopback addresses alone",
        )
