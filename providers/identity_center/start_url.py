"""The address of an access portal: its form, whether it is AWS's own, and where a company's leads.

Source: AWS CLI v2's own `sso login`; IAM Identity Center User Guide, "Access portal endpoints".
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from broker.errors import ConfigError, NetworkError, UnexpectedReply
from broker.ports import Ports
from broker.ports.urls import is_loopback, joined, origin, parts_of, without_query
from broker.regions import REGION

_AWS_ENDS = (
    ".awsapps.com",
    ".awsapps.cn",
    ".app.aws",
    ".portal.amazonaws.com",
    ".portal.amazonaws.com.cn",
    ".portal.amazonaws.eu",
    ".app.amazonwebservices.com.cn",
    ".api.amazonwebservices.eu",
)
_AWS_HOSTS = (
    "identitycenter.amazonaws.com",
    "identitycenter.amazonaws.com.cn",
    "identitycenter.amazonaws.eu",
    "identitycenter.us-gov.amazonaws.com",
)
_DUAL_STACK = (".app.aws", ".api.amazonwebservices.eu", ".app.amazonwebservices.com.cn")
"""Ends of portals' hosts that dual-stack endpoints serve, and those alone."""
_NO_HEAD = {405, 501}
_REDIRECTS = {301, 302, 303, 307, 308}


class AddressUnreachable(NetworkError):
    """The company's own address does not answer; that says nothing of any Region."""


def plain_start_url(url: str) -> str:
    """The start URL as the service compares it: without fragment, query and trailing slash.

    Raises:
        ValueError: No address of that kind.
    """
    try:
        parts = parts_of(url.strip().replace("\\", ""))  # a shell's or a wiki's `/\#/`
    except UnexpectedReply:
        raise ValueError("an address such as https://corp.awsapps.com/start") from None
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("plain http is accepted for loopback addresses alone")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def is_aws_own(url: str) -> bool:
    """Whether an address is a portal of AWS's: https, one of its hosts, the usual port."""
    try:
        parts = parts_of(url)
    except UnexpectedReply:
        return False
    host = parts.hostname or ""
    known = host in _AWS_HOSTS or (host.endswith(_AWS_ENDS) and _is_name(host))
    return known and parts.scheme == "https" and parts.port in {None, 443}


def region_in(url: str) -> str | None:
    """The region that AWS's hosts like `….portal.eu-west-1.app.aws` name."""
    if not is_aws_own(url):
        return None  # a company's own host may be named after any place
    return next((label for label in _labels(url)[1:] if re.fullmatch(REGION, label)), None)


def in_region(url: str, region: str) -> str:
    """The same instance's address in another Region, where the host names one."""
    named = region_in(url)
    if named is None or named == region:
        return url
    parts = urlsplit(url)
    first, *rest = _labels(url)
    host = ".".join([first, *(region if label == named else label for label in rest)])
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=host + port).geturl()


def is_dual_stack(url: str) -> bool | None:
    """True for a portal that dual-stack endpoints serve; None leaves it to the environment."""
    return (urlsplit(url).hostname or "").endswith(_DUAL_STACK) or None


def stands_in_for_aws(url: str, ports: Ports) -> bool:
    """Whether the address is at an endpoint that the environment sets in AWS's place."""
    places = [ports.aws.endpoint(service) for service in ("sso", "sso-oidc")]
    return origin(url) in {origin(place) for place in places if place}


def led_to(url: str, ports: Ports) -> str:
    """The portal of AWS's to which a company's own address leads, by one redirect.

    Nothing but the question is sent. An address of this machine that leads nowhere is a portal
    itself.

    Raises:
        ConfigError: It leads to something else, or nowhere.
        AddressUnreachable: It does not answer.
    """
    http = ports.http.session()
    try:
        reply = http.head(url)
        if reply.status in _NO_HEAD:
            reply = http.get(url, follow=False)
    except NetworkError as error:
        if _is_plain(urlsplit(url)):
            return url
        raise AddressUnreachable(error.message, hint=error.hint) from error
    target = reply.headers.get("Location")
    if reply.status not in _REDIRECTS or not target:
        if _is_plain(urlsplit(url)):
            return url
        raise ConfigError(
            f"{url} is no portal of AWS's and leads to none: it answered {reply.status}",
            hint="set `start_url` to the portal's own address, such as"
            " https://corp.awsapps.com/start",
        )
    portal = joined(reply.url, target.strip())
    if not is_aws_own(portal):
        raise ConfigError(
            f"{url} leads to {without_query(portal)}, which is no portal of AWS's"
            " (by one redirect, over https); nothing was sent there",
            hint="tell who looks after that address, or set `start_url` to the portal's own",
        )
    return plain_start_url(portal)


def _is_plain(parts: SplitResult) -> bool:
    """Whether it is plain http, which is this machine's alone: a stand-in's own address."""
    return parts.scheme == "http"


def _is_name(host: str) -> bool:
    return all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", part) for part in host.split("."))


def _labels(url: str) -> list[str]:
    try:
        return (urlsplit(url.strip()).hostname or "").split(".")
    except ValueError:
        return [""]
