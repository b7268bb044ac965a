"""The character set of a page: the reply's word, else the page's own, else UTF-8."""

from __future__ import annotations

import re

_HEAD = 2048
"""Bytes in which a page may declare it."""


def charset_of(content: bytes, stated: str | None) -> str:
    """A character set that Python knows.

    Args:
        content: The page.
        stated: What the reply's headers say, if they do.
    """
    charset = stated or _declared(content[:_HEAD])
    try:
        b"x".decode(charset, errors="replace")
    except LookupError:
        return "utf-8"
    return charset


def _declared(head: bytes) -> str:
    found = re.search(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?([\w:-]{1,40})", head, re.IGNORECASE)
    return found[1].decode("ascii", "replace") if found else "utf-8"
