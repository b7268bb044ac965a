"""Sending a form: with which values, in which encoding, and to whom a secret may go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from broker.errors import UnexpectedReply
from broker.ports.http import HttpSession, Reply
from broker.ports.urls import origin, without_query
from broker.terminal_text import one_line
from providers.saml.forms import Form
from providers.saml.refusals import BROWSER


def require_target(form: Form, allowed: Collection[str], what: str) -> None:
    """Refuse a form that would show a secret or send it elsewhere, before anyone types.

    Args:
        form: Where the secret would go.
        allowed: Origins that may have it.
        what: `password` or `code`.

    Raises:
        UnexpectedReply: The form leads astray.
    """
    if form.method == "get":
        raise UnexpectedReply(
            f"the sign-in page would put the {what} into an address; nothing was sent",
            hint=BROWSER,
        )
    require_site(form.action, allowed, what)


def require_site(target: str, allowed: Collection[str], what: str) -> None:
    """Refuse an address that may not have a secret, before anyone types; raises as above.

    Args:
        target: Where the secret would go.
        allowed: Origins that may have it.
        what: `password` or `code`.
    """
    if origin(target) not in allowed:
        host = one_line(urlsplit(target).netloc.rpartition("@")[2])
        raise UnexpectedReply(
            f"the sign-in page wants the {what} sent to {host}, which is not this provider's"
            " site; nothing was sent",
            hint="if that host is right, add it to `hosts` of the provider"
            if what == "password"
            else BROWSER,
        )


def submit(
    http: HttpSession,
    form: Form,
    values: Mapping[str, str] | None = None,
    only_to: Collection[str] | None = None,
) -> Reply:
    """Send a form as a browser would.

    Args:
        http: Requests that share cookies.
        form: The form.
        values: Put into its fields.
        only_to: Origins that may see it; None for one without a secret.
    """
    fields = form.filled(**(values or {}))
    filled = [(name, _encoded(value, form.charset)) for name, value in fields]
    if form.method == "get":
        # A form sent by GET replaces the query of its address (HTML, "mutate action URL").
        return http.get(without_query(form.action), params=filled)
    return http.post(form.action, form=filled, only_to=only_to)


def _encoded(value: str, charset: str) -> str | bytes:
    """A value in the page's own character set, as a browser sends it; text stands for UTF-8."""
    if charset.lower().startswith("utf"):
        return value  # of UTF-16 too, a browser makes UTF-8
    if charset.lower() in {"iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"}:
        charset = "cp1252"  # so says the WHATWG's Encoding Standard
    try:
        return value if value.isascii() else value.encode(charset, "xmlcharrefreplace")
    except LookupError:
        return value
