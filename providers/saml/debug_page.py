"""The copy of a page that goes into a bug report: its structure and words, without its secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bs4 import Comment, Tag
from bs4.element import NavigableString

from broker.secret import Secret, masked, without
from providers.saml.markup import bounded, read_html

_SHOWN_ATTRIBUTES = {"class", "id", "name", "type", "for", "autocomplete"}
"""Attributes whose values are shown whole: a page's structure, no person's data."""
_PLAIN_META = {"viewport", "robots", "generator", "referrer", "description"}
_TOKEN = re.compile(r"[A-Za-z0-9+/=_.%~-]{24,}")
_PATH_TOKEN = re.compile(r"[A-Za-z0-9_=%-]{24,}")


COPY_SECONDS = 6.0
MAX_ATTRIBUTE = 8192
"""Characters; a longer one is masked whole."""


def masked_copy(text: str, typed: Iterable[str]) -> str:
    """A page whose inputs, queries and long tokens are masked, and whatever the person typed.

    Args:
        text: The page.
        typed: What was typed on the way to it.
    """
    return bounded("", lambda: _masked(text, typed), COPY_SECONDS)


def _masked(text: str, typed: Iterable[str]) -> str:
    soup = read_html("", text)
    for tag in soup.find_all(True):
        if tag.name == "textarea":
            tag.string = Secret.MASK
        for name, value in tag.attrs.items():
            if isinstance(value, str) and name not in _SHOWN_ATTRIBUTES:
                tag[name] = Secret.MASK if _is_input(tag, name) else _attribute(value)
    for string in soup.find_all(string=True):
        if isinstance(string, Comment):
            string.extract()
        elif isinstance(string, NavigableString) and _TOKEN.search(string):
            string.replace_with(type(string)(_TOKEN.sub(_unless_address, string)))
    return without(masked(str(soup)), typed)


def _is_input(tag: Tag, attribute: str) -> bool:
    if tag.name == "meta" and attribute == "content":  # many keep a CSRF token there
        return not tag.get("http-equiv") and tag.get("name") not in _PLAIN_META
    buttons = {"submit", "button", "reset"}
    return attribute == "value" and tag.name == "input" and tag.get("type") not in buttons


def _attribute(value: str) -> str:
    """An address keeps its path and the names in its query; anything else loses its tokens."""
    if len(value) > MAX_ATTRIBUTE:
        return Secret.MASK
    if not re.search(r"^(https?:|/|\?)|\?[^\s=]+=", value):
        return _TOKEN.sub(Secret.MASK, value)
    value = re.sub(r"//[^/@]*@", f"//{Secret.MASK}@", value)
    path, mark, query = value.partition("?")
    return _PATH_TOKEN.sub(Secret.MASK, path) + mark + re.sub(r"=[^&]*", f"={Secret.MASK}", query)


def _unless_address(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith("//") else Secret.MASK
