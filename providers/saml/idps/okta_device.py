"""The device that Okta remembers: a cookie, kept sealed from one sign-in to the next."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from broker.ports.http import HttpSession
from broker.ports.secrets import Secrets
from broker.ports.urls import is_loopback

COOKIE = "DT"
_KEPT = "device"


def be_the_same(http: HttpSession, kept: Secrets, org: str) -> None:
    """Show the device token of the last sign-in; a new device names itself."""
    known = kept.recall(_KEPT)
    host = urlsplit(org).hostname or ""
    http.cookies.set(
        COOKIE,
        known["token"] if known else secrets.token_urlsafe(18),
        domain=host if "." in host else f"{host}.local",
        path="/",
        secure=not is_loopback(host),
    )


def keep(http: HttpSession, kept: Secrets) -> None:
    """Keep the token that Okta has given, or taken."""
    tokens = [cookie.value for cookie in http.cookies if cookie.name == COOKIE]
    if tokens and tokens[-1]:
        kept.remember(_KEPT, {"token": tokens[-1]}, until=None)


def forget(kept: Secrets) -> None:
    """Be a new device at the next sign-in."""
    kept.forget(_KEPT)
