"""The device that Okta remembers: a cookie, kept sealed from one sign-in to the next."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from broker.ports.http import HttpSession
from broker.ports.secrets import Secrets
from broker.ports.urls import is_loopback

COOKIE = "DT"
_ENTRY = "device"


def be_the_same(http: HttpSession, store: Secrets, org: str) -> None:
    """Set the cookie with the device token of the last sign-in, or with a new random one."""
    known = store.recall(_ENTRY)
    host = urlsplit(org).hostname or ""
    http.cookies.set(
        COOKIE,
        known["token"] if known else secrets.token_urlsafe(18),
        domain=host if "." in host else f"{host}.local",
        path="/",
        secure=not is_loopback(host),
    )


def keep(http: HttpSession, store: Secrets) -> None:
    """Keep the token that Okta has given, or taken."""
    tokens = [cookie.value for cookie in http.cookies if cookie.name == COOKIE]
    if tokens and tokens[-1]:
        store.remember(_ENTRY, {"token": tokens[-1]}, until=None)


def forget(store: Secrets) -> None:
    """Be a new device at the next sign-in."""
    store.forget(_ENTRY)
