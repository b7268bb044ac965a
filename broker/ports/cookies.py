"""Cookies as browsers keep them."""

from __future__ import annotations

from http.cookiejar import Cookie
from typing import Any

from requests.cookies import RequestsCookieJar

from broker.ports.urls import is_loopback


class CookieJar(RequestsCookieJar):
    """Keeps cookies as browsers do.

    `Secure` ones go to loopback over http too (Keycloak marks all so); a path that is none does
    not count (RFC 6265, 5.2.4).
    """

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        """Keep it."""
        if not cookie.path.startswith("/"):
            cookie.path = "/"
        if is_loopback(cookie.domain.removesuffix(".local")):
            cookie.secure = False
        super().set_cookie(cookie, *args, **kwargs)
