"""HTML as it is read: bounded in size, depth and time, and gone through once.

Owns what a page's elements say of each other (which form a control belongs to, what is hidden);
not what a form asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup

from broker.errors import UnexpectedReply
from broker.ports.deadline import TimeIsUpError, within
from broker.ports.urls import without_query
from providers.saml.controls import Control, hides

T = TypeVar("T")

MAX_CHARACTERS = 2_000_000
MAX_ELEMENTS = 100_000
"""Counted by their `<`."""
MAX_DEPTH = 300
"""Elements within elements."""
MAX_SECONDS = 18.0
"""For all reading of one page; with its copy for `--debug-page` it stays below 30."""

_CONTROLS = frozenset({"input", "select", "textarea", "button"})


def bounded(url: str, read: Callable[[], T], seconds: float = MAX_SECONDS) -> T:
    """Read a page in bounded time.

    Raises:
        UnexpectedReply: It takes longer than any sign-in page.
    """
    try:
        return within(seconds, read)
    except TimeIsUpError:
        raise _no_page(url) from None


def read_html(url: str, text: str) -> BeautifulSoup:
    """Parse a page of bounded size.

    Raises:
        UnexpectedReply: It is longer or deeper than any sign-in page, or not markup.
    """
    try:
        if len(text) <= MAX_CHARACTERS and text.count("<") <= MAX_ELEMENTS:
            soup = BeautifulSoup(text, "html.parser")
            if _depth(soup) <= MAX_DEPTH:
                return soup
    except (ParserRejectedMarkup, RecursionError):
        pass
    raise _no_page(url)


def _no_page(url: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{without_query(url)} answers with something that is not a sign-in page",
        hint="check `url` of the provider",
    )


def _depth(soup: BeautifulSoup) -> int:
    deepest, level = 0, [soup]
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        level = [child for tag in level for child in tag.children if isinstance(child, Tag)]  # type: ignore[misc]
    return deepest


@dataclass
class _Around:
    """What is around an element."""

    form: Tag | None = None
    label: Tag | None = None
    hidden: bool = False


@dataclass
class Outline:
    """What one walk through all elements of a page finds; `id()` of an element names it.

    Attributes:
        forms: In the page's order.
        hidden: Elements that are not shown, or lie in one that is not.
    """

    forms: list[Tag] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    _by_id: dict[str, Tag] = field(default_factory=dict)
    _labels: dict[tuple[int, str], Tag] = field(default_factory=dict)
    _controls: list[tuple[Tag, _Around]] = field(default_factory=list)

    @classmethod
    def of(cls, soup: BeautifulSoup) -> Outline:
        """Walk through the page."""
        outline = cls()
        ahead: list[tuple[Tag, _Around]] = [(soup, _Around())]
        while ahead:
            tag, around = ahead.pop()
            inside = outline._visit(tag, around)
            children = [child for child in tag.children if isinstance(child, Tag)]
            ahead += [(child, inside) for child in reversed(children)]
        return outline

    def controls(self) -> dict[int, list[Control]]:
        """The controls of each form: those in it, and those elsewhere that name it as theirs."""
        found: dict[int, list[Control]] = {id(form): [] for form in self.forms}
        for tag, around in self._controls:
            named = tag.get("form")
            form = self._by_id.get(str(named)) if named else around.form
            if form is not None:
                label = self._labels.get((id(form), str(tag.get("id") or ""))) or around.label
                found[id(form)].append(Control(tag, label, is_hidden=id(tag) in self.hidden))
        return found

    def is_hidden(self, tag: Tag) -> bool:
        """Whether an element, or one around it, is not shown."""
        return id(tag) in self.hidden

    def _visit(self, tag: Tag, around: _Around) -> _Around:
        """Note an element; what is around those in it."""
        hidden = around.hidden or (tag.name != "body" and hides(tag))
        if hidden:
            self.hidden.add(id(tag))
        inside = _Around(around.form, around.label, hidden)
        if tag.name == "form":
            self.forms.append(tag)
            if tag.get("id"):
                self._by_id.setdefault(str(tag["id"]), tag)
            inside.form = tag
        elif tag.name == "label":
            if around.form is not None and tag.get("for"):
                self._labels.setdefault((id(around.form), str(tag["for"])), tag)
            inside.label = tag
        elif tag.name in _CONTROLS:
            self._controls.append((tag, _Around(around.form, around.label, hidden)))
        return inside
