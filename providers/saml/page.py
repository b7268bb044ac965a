"""A sign-in page: its forms, what each asks for, and what it says. Owns reading HTML.

Told by structure (types, names, autocomplete, what is hidden), never by the words of a language.
What only one provider's pages do is in its file in `idps/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from bs4.exceptions import ParserRejectedMarkup

from broker.errors import UnexpectedReply
from broker.ports.urls import without_query
from providers.saml.controls import (
    REJECT,
    Option,
    code_of,
    controls_of,
    fields_of,
    is_hidden,
    is_typed,
    label_of,
    name_and_id,
    options_of,
    password_of,
    pressed,
    printable,
    sets_password,
    submits,
    type_of,
    waits_for_choice,
    words_of,
)

MAX_TEXT = 2_000_000
"""Characters of a page."""
MAX_DEPTH = 300
"""Elements within elements."""

_USER = (
    re.compile(r"(?i)user|login|e-?mail|identifier|uid|upn"),
    re.compile(r"(?i)account|^name$|signin|subject|principal"),
)
"""Names of the user's input, the surer ones first: `account` beside `username` is a company's."""
_SWITCH = re.compile(
    r"(?i)try.?another|select.?auth|authn_?select|web_?auth|sign.?out|log.?out|cancel|locale|lang"
    r"|reset|forgot|regist|help|search|newsletter|subscri|error.?repon?se"
)
_AGREE = re.compile(r"(?i)^(yes|accept|agree|approve|allow|_eventId_proceed)$")
_CAPTCHA = (
    ".g-recaptcha, .h-captcha, .cf-turnstile, iframe[src*=aptcha], img[src*=aptcha],"
    " audio[src*=aptcha], input[name*=aptcha]:not([type=hidden]),"
    " input[id*=aptcha]:not([type=hidden])"
)
_DUO = "#duo_iframe, [data-sig-request], iframe[src*=duosecurity], input[value^=DuoAdfs]"
_DUO_HOST = ".duosecurity.com"
_ERRORS = (
    "#errorText",
    "#input-error, #input-error-username, #input-error-password, .kc-feedback-text",
    "#kc-error-message .instruction, #kc-error-message",
    ".alert-error, .alert-danger, .pf-m-danger",
    ".ping-error, .form-error, .output--error, .error-message, .login-failure",
    ".message-box.error, .error, .errors",
    "[role=alert], [aria-live=assertive]",
    "[class*=error i]:not(input, form, body), [id*=error i]:not(input, form, body)",
)
_NUMBER = (
    "#validEntropyNumber, .numbermatching, .number-matching, [id*=numberMatch i],"
    " [class*=numbermatch i], [id*=entropy i], .displaySign"
)
_POLLS = r"XMLHttpRequest|\bfetch\(|\.ajax\(|getJSON\(|setInterval\(|WebSocket"
"""A script that asks the server first, and submits once something has happened."""


class Kind(Enum):
    """What a form asks for."""

    RESPONSE = "the SAML response"
    PASSWORD = "a password"  # noqa: S105
    NEW_PASSWORD = "a new password"  # noqa: S105
    USERNAME = "a user name"
    CODE = "a one-time code"
    ONWARD = "nothing: it leads on by itself"
    OTHER = "something else"


@dataclass
class Form:
    """One form of a page.

    Attributes:
        action: Absolute address; `method` is `get` or `post`.
        fields: What would be sent if nothing were typed, in the page's order.
        typed: The controls that somebody would type into.
        automatic: The page sends it without a person.
        charset: What its values are encoded with.
        username: With `password` and `code` the names of the inputs that take those, if any.
    """

    tag: Tag
    action: str
    method: str
    fields: list[tuple[str, str]]
    typed: list[Tag]
    username: str | None = None
    password: str | None = None
    code: str | None = None
    new_password: bool = False
    automatic: bool = False
    charset: str = "utf-8"

    def filled(self, **values: str) -> list[tuple[str, str]]:
        """The fields with these values put in, whatever stood there."""
        kept = [(name, value) for name, value in self.fields if name not in values]
        return [*kept, *values.items()]

    def value(self, name: str) -> str | None:
        """What a field holds."""
        return next((value for key, value in self.fields if key == name), None)

    def has(self, name: str) -> bool:
        """Whether there is a field of this name."""
        return self.value(name) is not None

    @property
    def id(self) -> str:
        """Its id, else its name."""
        return str(self.tag.get("id") or self.tag.get("name") or "")

    @cached_property
    def kind(self) -> Kind:
        """What it asks for."""
        if self.value("SAMLResponse"):
            return Kind.RESPONSE
        if self.new_password:
            return Kind.NEW_PASSWORD
        if self.password:
            return Kind.PASSWORD
        if self.code:
            return Kind.CODE
        if self.username:
            return Kind.USERNAME
        return Kind.ONWARD if self._leads_on() else Kind.OTHER

    @cached_property
    def options(self) -> list[Option]:
        """Ways to choose from: radio buttons, a list of methods, or several buttons of one name."""
        return options_of(self.tag)

    @property
    def can_be_declined(self) -> bool:
        """Whether a button of it says no: then to press the other one is a person's decision."""
        names = [str(button.get("name") or "") for button in submits(self.tag)]
        return any(REJECT.search(name) for name in names) or {"accept", "cancel"} <= set(names)

    @cached_property
    def is_aside(self) -> bool:
        """Whether it stands beside the sign-in: a search, a language, another way, a way out."""
        names = [self.id, urlsplit(self.action).path, *(name for name, _ in self.fields)]
        return any(_SWITCH.search(name) for name in names)

    @property
    def agrees(self) -> bool:
        """Whether it would be sent with a button that says yes."""
        return not self.typed and any(_AGREE.search(name) for name, _ in self.fields)

    @property
    def lone_input(self) -> str | None:
        """The name of its only input, where there is just one to type into."""
        names = [str(control["name"]) for control in self.typed]
        return names[0] if len(names) == 1 else None

    def label(self, name: str) -> str:
        """What the page calls an input."""
        control = next((i for i in controls_of(self.tag) if i.get("name") == name), None)
        return label_of(self.tag, control) if control else ""

    def _leads_on(self) -> bool:
        """Hidden fields and at most a button: a page that posts itself onwards."""
        if self.has("SAMLRequest") or self.has("wresult"):
            return True
        return (
            bool(self.fields)
            and not self.typed
            and not self.options
            and not self.is_aside
            and not any(waits_for_choice(control) for control in controls_of(self.tag))
        )


@dataclass
class Page:
    """One page."""

    url: str
    soup: BeautifulSoup
    selectors: dict[str, str] = field(default_factory=dict)
    charset: str = "utf-8"

    @classmethod
    def parse(
        cls,
        url: str,
        text: str,
        selectors: dict[str, str] | None = None,
        charset: str = "utf-8",
    ) -> Page:
        """Read a page.

        Args:
            url: Its address.
            text: Its markup.
            selectors: CSS selectors of the YAML that say where the fields are.
            charset: What it came in, and what its forms are sent in.

        Raises:
            UnexpectedReply: It is longer or deeper than any sign-in page.
        """
        soup = read_html(url, text)
        for hint in soup.find_all(["noscript", "template"]):
            # What only complains about scripts, or is a whole second document, is not the page.
            helps = hint.find(["input", "button", "form"]) and not hint.find(["html", "body"])
            if hint.name == "template" or not helps:
                hint.decompose()
        return cls(url, soup, selectors or {}, charset)

    @cached_property
    def title(self) -> str:
        """The page's own name: its title and id."""
        title = words_of(self.soup.title) if self.soup.title else ""
        body = self.soup.body
        page_id = (body.get("data-page-id") or body.get("id")) if body else None
        named = f" ({printable(str(page_id))[:60]})" if page_id else ""
        return f"“{title[:120] or 'no title'}”{named}"

    @cached_property
    def page_id(self) -> str:
        """`data-page-id` of the body, as Keycloak gives it."""
        return str(self.soup.body.get("data-page-id") or "") if self.soup.body else ""

    @cached_property
    def forms(self) -> list[Form]:
        """Every form."""
        base = self.soup.find("base", href=True)
        root = _join(self.url, str(base["href"])) if isinstance(base, Tag) else self.url
        forms = [self._form(tag, root) for tag in self.soup.find_all("form")]
        for form in forms:
            form.automatic = (
                self._submits_itself
                or form.tag.find("noscript") is not None
                or (form.has("SAMLRequest") and not form.typed)
            )
        return forms

    @cached_property
    def refresh(self) -> tuple[float, str] | None:
        """Where a `<meta http-equiv=refresh>` leads, after at most 30 seconds."""
        for tag in self.soup.find_all("meta", content=True):
            if str(tag.get("http-equiv", "")).lower() == "refresh":
                match = re.fullmatch(
                    r"\s*(\d{1,2})(?:\.\d*)?\s*(?:[;,]\s*(?:url\s*=)?\s*(.*))?",
                    str(tag["content"]),
                    re.IGNORECASE | re.DOTALL,
                )
                if match and int(match[1]) <= 30:
                    return float(match[1]), _join(self.url, (match[2] or "").strip("'\" \n"))
        return None

    @cached_property
    def script_target(self) -> str | None:
        """Where a script sends the browser: a plain assignment of a whole address."""
        found = re.findall(
            r"(?:\b(?:window|document|self|top)\.|(?<![\w.$]))"
            r"location(?:\.href\s*=|\.replace\(|\.assign\(|\s*=)"
            r"""\s*(['"`])((?:(?!\1|\$\{).)+)\1""",
            self._script,
        )
        targets = {target.replace(r"\/", "/").replace(r"\u0026", "&") for _, target in found}
        asking = {target for target in targets if "SAMLRequest=" in target}
        chosen = asking or targets
        return _join(self.url, chosen.pop()) if len(chosen) == 1 else None

    @property
    def beyond_us(self) -> str:
        """What it asks for that a browser alone can give; empty if nothing."""
        if self.soup.select_one(_DUO) or (urlsplit(self.url).hostname or "").endswith(_DUO_HOST):
            return "asks for Duo"
        typed = any(form.typed for form in self.forms)
        shown = any(not is_hidden(tag) for tag in self.soup.select(_CAPTCHA))
        return "asks for a captcha" if typed and shown else ""

    def first(self, kind: Kind) -> Form | None:
        """The first form of a kind; those beside the sign-in come later, hidden ones last."""
        forms = [form for form in self.forms if form.kind is kind]
        return min(forms, key=lambda form: (is_hidden(form.tag), form.is_aside), default=None)

    def form(self, selector: str) -> Form | None:
        """The first form that a CSS selector finds."""
        tag = self.soup.select_one(selector)
        return next((form for form in self.forms if form.tag is tag), None) if tag else None

    def form_with(self, name: str) -> Form | None:
        """The first form that has a field of this name."""
        return next((form for form in self.forms if form.has(name)), None)

    @cached_property
    def onward(self) -> Form | None:
        """The form that a browser would post by itself, else the only one, if it has a button."""
        leading = [form for form in self.forms if form.kind is Kind.ONWARD]
        searches = [form for form in self.forms if form.is_aside and form.typed]
        others = [form for form in self.forms if form.method == "post" and form not in searches]
        lone = leading[0] if len(leading) == 1 and others in ([], leading) else None
        if lone and (self.soup.find("iframe") or not submits(lone.tag)):
            lone = None
        return next((form for form in leading if form.automatic), lone)

    @property
    def number(self) -> str:
        """The number that the person is to match on another device; empty if there is none."""
        tag = self.soup.select_one(_NUMBER)
        words = words_of(tag) if tag else ""
        return words if re.fullmatch(r"\d{1,6}", words) else ""

    def text(self, selector: str) -> str:
        """The words at a CSS selector; empty where it finds none or they are hidden."""
        for tag in self.soup.select(selector):
            words = words_of(tag)
            if words and not is_hidden(tag):
                return words[:300]
        return ""

    def error(self) -> str:
        """What the page says went wrong, in its own words and language; empty if nothing."""
        chosen = self.selectors.get("error")
        for selector in [chosen] if chosen else _ERRORS:
            words = self.text(selector)
            if words:
                return words
        return ""

    def news(self, before: Page | None) -> str:
        """The words that an earlier look at the same page did not have."""
        known = set(before.strings) if before else set(self.strings)
        return " ".join(words for words in self.strings if words not in known)[:300]

    @cached_property
    def strings(self) -> list[str]:
        """What is written on it, piece by piece."""
        unseen = {"script", "style", "title", "option", "textarea", "button"}
        pieces = self.soup.find_all(string=True)
        written = [p for p in pieces if type(p) is NavigableString and p.parent.name not in unseen]  # type: ignore[union-attr]
        return [words for words in (printable(piece) for piece in written) if words]

    def heading(self) -> str:
        """What the page says it is about: its first heading, else its title."""
        return self.text("#kc-page-title, h1, h2") or self.title

    @cached_property
    def _script(self) -> str:
        return "\n".join(tag.get_text() for tag in self.soup.find_all("script"))

    @cached_property
    def _submits_itself(self) -> bool:
        body = str(self.soup.body.get("onload") or "") if self.soup.body else ""
        submits = re.search(r"\.submit\(\s*\)", self._script) is not None
        return "submit" in body.lower() or (submits and not re.search(_POLLS, self._script))

    def _form(self, tag: Tag, root: str) -> Form:
        # A form without action posts to the page's own address, whatever <base> says.
        controls = list(controls_of(tag))
        button = pressed(controls)
        action = str((button and button.get("formaction")) or tag.get("action") or "").strip()
        form = Form(
            tag=tag,
            action=_join(root, action) if action else self.url,
            method="post",
            fields=fields_of(controls, button),
            typed=[control for control in controls if is_typed(control)],
            charset=str(tag.get("accept-charset") or self.charset),
        )
        # HTML's default is GET; where somebody types, a script posts, and GET would show secrets.
        method = (button and button.get("formmethod")) or tag.get("method")
        stated = str(method or ("post" if form.typed else "get")).strip().lower()
        form.method = "get" if stated == "get" else "post"
        form.code = self._selected(tag, "code") or code_of(form.typed)
        passwords = [i for i in form.typed if type_of(i) == "password" and i["name"] != form.code]
        form.password = self._selected(tag, "password") or password_of(passwords)
        form.new_password = not self.selectors.get("password") and sets_password(passwords)
        form.username = self._selected(tag, "username") or _username(form)
        return form

    def _selected(self, tag: Tag, what: str) -> str | None:
        selector = self.selectors.get(what)
        found = tag.select_one(selector) if selector else None
        return str(found["name"]) if found and found.get("name") else None


def read_html(url: str, text: str) -> BeautifulSoup:
    """Parse a page of bounded size.

    Raises:
        UnexpectedReply: It is longer or deeper than any sign-in page, or not markup.
    """
    try:
        if len(text) <= MAX_TEXT:
            soup = BeautifulSoup(text, "html.parser")
            if _depth(soup) <= MAX_DEPTH:
                return soup
    except (ParserRejectedMarkup, RecursionError):
        pass
    raise UnexpectedReply(
        f"{without_query(url)} answers with something that is not a sign-in page",
        hint="check `url` of the provider",
    )


def _depth(soup: BeautifulSoup) -> int:
    deepest, level = 0, [soup]
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        level = [child for tag in level for child in tag.children if isinstance(child, Tag)]  # type: ignore[misc]
    return deepest


def _join(base: str, target: str) -> str:
    """An absolute address; one that is none is nowhere."""
    try:
        joined = urljoin(base, target.strip())
        urlsplit(joined)
    except ValueError:
        return "about:invalid"
    return joined


def _username(form: Form) -> str | None:
    """An input for the user name: named so, or the only text beside a password."""
    texts = [
        control
        for control in form.typed
        if type_of(control) in {"text", "email", "tel"} and control["name"] != form.code
    ]
    texts = [control for control in texts if not is_hidden(control)] or texts
    for control in texts:
        if str(control.get("autocomplete") or "").split(" ")[0] in {"username", "email"}:
            return str(control["name"])
    for pattern in _USER:
        for control in texts:
            if pattern.search(name_and_id(control)):
                return str(control["name"])
    return str(texts[0]["name"]) if form.password and len(texts) == 1 else None
