"""JSON APIs of identity providers: what a reply holds, and the provider's own words in it."""

from __future__ import annotations

import html
import math
import re
from typing import Any
from urllib.parse import urlsplit

from broker.errors import NetworkError, UnexpectedReply
from broker.ports.http import Reply
from broker.ports.urls import without_query
from broker.terminal_text import one_line
from providers.saml.refusals import BROWSER, NeedsBrowserError

MAX_CHARACTERS = 400
"""Of a provider's sentence; the rest is not shown."""
Answer = dict[str, Any]
"""A reply's JSON object."""


def answer(reply: Reply) -> Answer:
    """The JSON object of a reply, whatever its status.

    Raises:
        NetworkError: The server failed.
        NeedsBrowserError: Not a JSON object; the address is named.
    """
    if reply.status >= 500:
        raise NetworkError(
            f"{urlsplit(reply.url).netloc} answered {reply.status}", hint="try again later"
        )
    try:
        found = reply.json()
    except UnexpectedReply as error:  # a page for people, in the way of the API
        raise NeedsBrowserError(error.message, hint=BROWSER) from None
    if not isinstance(found, dict):
        raise NeedsBrowserError(
            f"{without_query(reply.url)} answered {reply.status} with something unknown",
            hint=BROWSER,
        )
    return found


def require_not_throttled(reply: Reply) -> None:
    """Refuse to go on where the provider takes no more tries for now.

    Raises:
        NetworkError: So it says.
    """
    if reply.status == 429:
        raise NetworkError(
            f"{urlsplit(reply.url).netloc} answered 429: too many tries",
            hint="wait a while, then sign in again",
        )


def at(value: Any, *path: str) -> Any:
    """What stands at the end of a path of keys; None where it ends early."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def seconds(value: object, otherwise: float, *, least: float, most: float) -> float:
    """A number of seconds that a provider names, within bounds; `otherwise` where it is none."""
    try:
        found = float(otherwise if value is None else value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = otherwise
    return min(max(otherwise if math.isnan(found) else found, least), most)


def plain_line(text: object, max_characters: int = MAX_CHARACTERS) -> str:
    """A provider's text as it may be shown: one short line, no markup, no control characters."""
    start = str(text or "")[: 8 * max_characters]  # enough to show, little enough to search
    plain = html.unescape(re.sub(r"<[^>]*>", " ", start))
    return one_line(plain, max_characters)
