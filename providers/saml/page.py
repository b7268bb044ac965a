"""A sign-in page: its forms, and what it says.

Told by structure (types, names, autocomplete, what is hidden), never by the words of a language.
What only one provider's pages do is in its file in `idps/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

from broker.terminal_text import one_line
from providers.saml.controls import words_of
from providers.saml.forms import Form, Kind, absolute, read_form
from providers.saml.markup import Outline, bounded, read_html

_CAPTCHA = (
    ".g-recaptcha, .h-captcha, .cf-turnstile, [data-captcha-provider], iframe[src*=aptcha],"
    " img[src*=aptcha], audio[src*=aptcha], input[name*=aptcha]:not([type=hidden]),"
    " input[id*=aptcha]:not([type=hidden])"
)
_DUO = "#duo_iframe, [data-sig-request], iframe[src*=duosecurity], input[value^=DuoAdfs]"
_DUO_HOST = ".duosecurity.com"
_ERRORS = (
    "#errorText",
    "#input-error, #input-error-username, #input-error-password, .kc-feedback-text",
    "#kc-error-message .instruction, #kc-error-message",
    ".alert-error, .alert-danger, .pf-m-danger, #prompt-alert",
    ".ping-error, .form-error, .output--error, .error-message, .login-failure",
    ".message-box.error, .error, .errors",
    "[role=alert], [aria-live=assertive]",
    "[class*=error i]:not(input, form, body), [id*=error i]:not(input, form, body)",
)
_NUMBER = (
    "#validEntropyNumber, .numbermatching, .number-matching, [id*=numberMatch i],"
    " [class*=numbermatch i], [id*=entropy i], .displaySign"
)
_ASKS_FIRST = r"XMLHttpRequest|\bfetch\(|\.ajax\(|getJSON\(|setInterval\(|WebSocket"
"""A script that asks the server first, and submits once something has happened."""
_UNSEEN = frozenset({"script", "style", "title", "option", "textarea", "button"})


@dataclass(frozen=True, eq=False)
class Page:
    """One page.

    Attributes:
        url: Its address.
        forms: Every form, in the page's order.
        outline: What is hidden in it.
        script: All its scripts.
        selectors: CSS selectors of the YAML.
    """

    url: str
    soup: BeautifulSoup
    forms: tuple[Form, ...]
    outline: Outline
    script: str
    selectors: Mapping[str, str]

    @classmethod
    def parse(
        cls,
        url: str,
        text: str,
        selectors: Mapping[str, str] | None = None,
        charset: str = "utf-8",
    ) -> Page:
        """Read a page, with all that takes time.

        Args:
            url: Its address.
            text: Its markup.
            selectors: CSS selectors of the YAML that say where the fields are.
            charset: What it came in, and what its forms are sent in.

        Raises:
            UnexpectedReply: It is longer or deeper than any sign-in page, or takes too long.
        """
        return bounded(url, lambda: cls._read(url, text, selectors or {}, charset))

    @classmethod
    def _read(cls, url: str, text: str, selectors: Mapping[str, str], charset: str) -> Page:
        soup = read_html(url, text)
        for hint in soup.find_all(["noscript", "template"]):
            # What only complains about scripts, or is a whole second document, is not the page.
            helps = hint.find(["input", "button", "form"]) and not hint.find(["html", "body"])
            if hint.name == "template" or not helps:
                hint.decompose()
        outline = Outline.of(soup)
        script = "\n".join(tag.get_text() for tag in soup.find_all("script"))
        page = cls(url, soup, (), outline, script, selectors)
        page = replace(page, forms=tuple(page._forms(charset)))
        for form in page.forms:
            _ = form.kind, form.options  # each is kept from now on
        return page

    def changed(self, form: Form, into: Form) -> Page:
        """The page with another form in the place of one of its own."""
        return replace(self, forms=tuple(into if own is form else own for own in self.forms))

    @cached_property
    def title(self) -> str:
        """The page's own name: its title and id."""
        title = words_of(self.soup.title) if self.soup.title else ""
        body = self.soup.body
        page_id = (body.get("data-page-id") or body.get("id")) if body else None
        named = f" ({one_line(str(page_id))[:60]})" if page_id else ""
        return f"“{title[:120] or 'no title'}”{named}"

    @property
    def beyond_us(self) -> str:
        """What it asks for that a browser alone can give; empty if nothing."""
        if self.soup.select_one(_DUO) or (urlsplit(self.url).hostname or "").endswith(_DUO_HOST):
            return "asks for Duo"
        typed = any(form.typed for form in self.forms)
        shown = any(not self.outline.is_hidden(tag) for tag in self.soup.select(_CAPTCHA))
        return "asks for a captcha" if typed and shown else ""

    def first(self, kind: Kind) -> Form | None:
        """The first form of a kind; those beside the sign-in come later, hidden ones last."""
        forms = [form for form in self.forms if form.kind is kind]
        return min(forms, key=lambda form: (form.is_hidden, form.is_aside), default=None)

    def form(self, selector: str) -> Form | None:
        """The first form that a CSS selector finds."""
        tag = self.soup.select_one(selector)
        return next((form for form in self.forms if form.tag is tag), None) if tag else None

    def form_with(self, name: str) -> Form | None:
        """The first form that has a field of this name."""
        return next((form for form in self.forms if form.has(name)), None)

    @property
    def number(self) -> str:
        """The number that the person is to match on another device; empty if there is none."""
        tag = self.soup.select_one(_NUMBER)
        text = words_of(tag) if tag else ""
        return text if re.fullmatch(r"\d{1,6}", text) else ""

    def text(self, selector: str) -> str:
        """The words at a CSS selector; empty where it finds none or they are hidden."""
        for tag in self.soup.select(selector):
            text = "" if self.outline.is_hidden(tag) else words_of(tag)
            if text:
                return text[:300]
        return ""

    def error(self) -> str:
        """What the page says went wrong, in its own words and language; empty if nothing."""
        chosen = self.selectors.get("error")
        for selector in [chosen] if chosen else _ERRORS:
            text = self.text(selector)
            if text:
                return text
        return ""

    def news(self, before: Page | None) -> str:
        """The words that an earlier look at the same page did not have."""
        known = set(before.strings) if before else set(self.strings)
        return " ".join(line for line in self.strings if line not in known)[:300]

    @cached_property
    def strings(self) -> list[str]:
        """What is written on it, piece by piece."""
        pieces = self.soup.find_all(string=True)
        written = [p for p in pieces if type(p) is NavigableString and p.parent.name not in _UNSEEN]  # type: ignore[union-attr]
        return [line for line in (one_line(piece) for piece in written) if line]

    def heading(self) -> str:
        """What the page says it is about: its first heading, else its title."""
        return self.text("#kc-page-title, h1, h2") or self.title

    def _forms(self, charset: str) -> list[Form]:
        base = self.soup.find("base", href=True)
        root = absolute(self.url, str(base["href"])) if isinstance(base, Tag) else self.url
        controls = self.outline.controls()
        sends_itself = _submits_itself(self.soup, self.script)
        forms = []
        for tag in self.outline.forms:
            form = read_form(
                tag,
                tuple(controls[id(tag)]),
                url=self.url,
                root=root,
                selectors=self.selectors,
                charset=charset,
            )
            asks_idp = form.has("SAMLRequest") and not form.typed
            automatic = sends_itself or asks_idp or tag.find("noscript") is not None
            hidden = self.outline.is_hidden(tag)
            forms.append(replace(form, automatic=automatic, is_hidden=hidden))
        return forms


def _submits_itself(soup: BeautifulSoup, script: str) -> bool:
    """Whether the page sends a form without a person."""
    body = str(soup.body.get("onload") or "") if soup.body else ""
    submits = re.search(r"\.submit\(\s*\)", script) is not None
    return "submit" in body.lower() or (submits and not re.search(_ASKS_FIRST, script))
