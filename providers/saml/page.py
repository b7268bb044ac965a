"""A sign-in page: its forms, what each asks for, and what it says. Owns reading HTML.

Told by structure (types, names, autocomplete, what is hidden), never by the words of a language.
What only one provider's pages do is in its file in `idps/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from bs4.exceptions import ParserRejectedMarkup

from broker.errors import UnexpectedReply
from broker.ports.urls import without_query

MAX_TEXT = 2_000_000
"""Characters of a page."""
MAX_DEPTH = 300
"""Elements within elements."""

_CODE = re.compile(
    r"(?i)otp|passcode|pass_code|one.?time|mfa.?(token|code)|2fa|two.?factor|verif.{0,9}code"
    r"|token_?(code|num)|ecom_?token|oath|authenticator|^code$|(security|sms|auth|login)_?code|^pin$"
    r"|challenge.?(question|response|answer)"
)
_USER = (
    re.compile(r"(?i)user|login|e-?mail|identifier|uid|upn"),
    re.compile(r"(?i)account|^name$|signin|subject|principal"),
)
"""Names of the user's input, the surer ones first: `account` beside `username` is a company's."""
_NEW = re.compile(r"(?i)new|confirm|again|retype|repeat|verify|old|current|cpass")
_SWITCH = re.compile(
    r"(?i)try.?another|select.?auth|authn_?select|web_?auth|sign.?out|log.?out|cancel|locale|lang"
    r"|reset|forgot|regist|help|search|newsletter|subscri|error.?repon?se"
)
_CANCEL = re.compile(r"(?i)cancel|back|reset|help|forgot|switch|resend|send.?again|call.?again")
_REJECT = re.compile(r"(?i)reject|declin|deny|disagree|refuse|^no$")
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
_KINDS = (
    ("webauthn", r"webauthn|passkey|fido|u2f|security.?key|certificate"),
    ("totp", r"otp|oath|passcode|verification.?code|authenticator.?app"),
    ("push", r"push|swipe|notif|azuremfa|approve|prompt"),
    ("sms", r"sms|text.?message|\btext\b"),
    ("call", r"call|voice|phone"),
    ("email", r"mail"),
    ("totp", r"token|authenticator|code|generator|mobile|securid"),
)
_POLLS = r"XMLHttpRequest|\bfetch\(|\.ajax\(|getJSON\(|setInterval\(|WebSocket"
"""A script that asks the server first, and submits once something has happened."""
_TYPED = frozenset({"text", "email", "tel", "number", "password", "search", "url"})


class Kind(Enum):
    """What a form asks for."""

    RESPONSE = "the SAML response"
    PASSWORD = "a password"  # noqa: S105
    NEW_PASSWORD = "a new password"  # noqa: S105
    USERNAME = "a user name"
    CODE = "a one-time code"
    ONWARD = "nothing: it leads on by itself"
    OTHER = "something else"


@dataclass(frozen=True)
class Option:
    """One of several ways that a form offers.

    Attributes:
        label: As the page names it, in its language.
        kind: A word of `mfa:`, or `other`.
        values: The fields that choose it.
    """

    label: str
    kind: str
    values: dict[str, str]


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
        return _radios(self.tag) or _methods(self.tag) or _buttons(self.tag)

    @property
    def can_be_declined(self) -> bool:
        """Whether a button of it says no: then to press the other one is a person's decision."""
        names = [str(button.get("name") or "") for button in _submits(self.tag)]
        return any(_REJECT.search(name) for name in names) or {"accept", "cancel"} <= set(names)

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
        control = next((i for i in _controls(self.tag) if i.get("name") == name), None)
        return _label(self.tag, control) if control else ""

    def _leads_on(self) -> bool:
        """Hidden fields and at most a button: a page that posts itself onwards."""
        if self.has("SAMLRequest") or self.has("wresult"):
            return True
        return (
            bool(self.fields)
            and not self.typed
            and not self.options
            and not self.is_aside
            and not any(_waits_for_choice(control) for control in _controls(self.tag))
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
        title = _words(self.soup.title) if self.soup.title else ""
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
        shown = any(not _is_hidden(tag) for tag in self.soup.select(_CAPTCHA))
        return "asks for a captcha" if typed and shown else ""

    def first(self, kind: Kind) -> Form | None:
        """The first form of a kind; those beside the sign-in come later, hidden ones last."""
        forms = [form for form in self.forms if form.kind is kind]
        return min(forms, key=lambda form: (_is_hidden(form.tag), form.is_aside), default=None)

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
        pressed = leading[0] if len(leading) == 1 and others in ([], leading) else None
        if pressed and (self.soup.find("iframe") or not _submits(pressed.tag)):
            pressed = None
        return next((form for form in leading if form.automatic), pressed)

    @property
    def number(self) -> str:
        """The number that the person is to match on another device; empty if there is none."""
        tag = self.soup.select_one(_NUMBER)
        words = _words(tag) if tag else ""
        return words if re.fullmatch(r"\d{1,6}", words) else ""

    def text(self, selector: str) -> str:
        """The words at a CSS selector; empty where it finds none or they are hidden."""
        for tag in self.soup.select(selector):
            words = _words(tag)
            if words and not _is_hidden(tag):
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
        controls = list(_controls(tag))
        button = _pressed(controls)
        action = str((button and button.get("formaction")) or tag.get("action") or "").strip()
        form = Form(
            tag=tag,
            action=_join(root, action) if action else self.url,
            method="post",
            fields=_fields(controls, button),
            typed=[control for control in controls if _is_typed(control)],
            charset=str(tag.get("accept-charset") or self.charset),
        )
        # HTML's default is GET; where somebody types, a script posts, and GET would show secrets.
        method = (button and button.get("formmethod")) or tag.get("method")
        stated = str(method or ("post" if form.typed else "get")).strip().lower()
        form.method = "get" if stated == "get" else "post"
        form.code = self._selected(tag, "code") or _code(form.typed)
        passwords = [i for i in form.typed if _type(i) == "password" and i["name"] != form.code]
        form.password = self._selected(tag, "password") or _password(passwords)
        form.new_password = not self.selectors.get("password") and _sets_password(passwords)
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


def kind_of(words: str) -> str:
    """The word of `mfa:` for a method that the page names so; `other` where it does not tell."""
    lower = words.lower()
    return next((kind for kind, pattern in _KINDS if re.search(pattern, lower)), "other")


def _controls(form: Tag) -> Iterator[Tag]:
    """The form's controls, and those elsewhere that name it as theirs."""
    own = form.get("id")
    root = form.find_parents()[-1] if own and form.find_parents() else form
    for control in root.find_all(["input", "select", "textarea", "button"]):
        owner = control.get("form")
        if owner == own if owner else control.find_parent("form") is form:
            yield control


def _pressed(controls: list[Tag]) -> Tag | None:
    """The button that a person would press: the first that does not lead back or away."""
    buttons = [control for control in controls if _type(control) in {"submit", "image"}]
    onward = [
        button
        for button in buttons
        if not _CANCEL.search(_name_and_id(button))
        and not _REJECT.search(str(button.get("name") or ""))
    ]
    return min(onward, key=lambda button: bool(_CANCEL.search(_value(button))), default=None)


def _fields(controls: list[Tag], button: Tag | None) -> list[tuple[str, str]]:
    """The successful controls (HTML, "constructing the form data set"), the button included."""
    fields: list[tuple[str, str]] = []
    for control in controls:
        name, kind = control.get("name"), _type(control)
        if not name or (control.has_attr("disabled") and kind not in {"submit", "image"}):
            continue
        if kind in {"submit", "image"}:
            if control is button:
                fields.append((str(name), _value(control)))
        elif control.name == "select":
            fields.append((str(name), _chosen_option(control)))
        elif kind in {"checkbox", "radio"}:
            if control.has_attr("checked"):
                fields.append((str(name), str(control.get("value", "on"))))
        elif kind not in {"button", "reset", "file"}:
            text = control.get_text() if control.name == "textarea" else control.get("value", "")
            fields.append((str(name), str(text)))
    return fields


def _value(control: Tag) -> str:
    return str(control.get("value") or "")


def _waits_for_choice(control: Tag) -> bool:
    """Whether somebody has to decide something first: a list to choose from, a box to tick."""
    if control.name == "select":
        return len(control.find_all("option")) > 1 and not _is_hidden(control)
    boxed = _type(control) == "checkbox" and control.has_attr("required")
    return boxed and not control.has_attr("checked")


def _chosen_option(select: Tag) -> str:
    options = select.find_all("option")
    chosen = next((o for o in options if o.has_attr("selected")), options[0] if options else None)
    return _option_value(chosen) if chosen else ""


def _option_value(option: Tag) -> str:
    return str(option["value"]) if option.has_attr("value") else _own_words(option)


def _own_words(option: Tag) -> str:
    """An option's words; one that is not closed seems to hold those that follow."""
    return " ".join("".join(option.find_all(string=True, recursive=False)).split())


def _radios(form: Tag) -> list[Option]:
    groups: dict[str, list[Tag]] = {}
    for radio in _controls(form):
        if _type(radio) == "radio" and radio.get("name") and not radio.has_attr("disabled"):
            groups.setdefault(str(radio["name"]), []).append(radio)
    name = next((name for name, radios in groups.items() if len(radios) > 1), None)
    return [
        _option(form, radio, str(radio.get("value", "on"))) for radio in groups.get(name or "", ())
    ]


def _methods(form: Tag) -> list[Option]:
    """The options of a `<select>` of sign-in methods; other lists keep what the page chose."""
    for select in _controls(form):
        options = select.find_all("option") if select.name == "select" else []
        found = [
            Option(
                _own_words(option) or _option_value(option),
                kind_of(f"{_option_value(option)} {_own_words(option)}"),
                {str(select["name"]): _option_value(option)},
            )
            for option in options
            if select.get("name") and _option_value(option)
        ]
        named = re.search(r"(?i)mfa|factor|method|device|auth", _name_and_id(select))
        if len(found) > 1 and named and any(option.kind != "other" for option in found):
            return found
    return []


def _buttons(form: Tag) -> list[Option]:
    """Several submit buttons that share a name and differ in what they send.

    Beside an input, only buttons that name methods: others send it, or go back.
    """
    groups: dict[str, list[Tag]] = {}
    for button in _submits(form):
        if button.get("name") and _value(button) and not _CANCEL.search(_value(button)):
            groups.setdefault(str(button["name"]), []).append(button)
    several = next((buttons for buttons in groups.values() if len(buttons) > 1), [])
    options = [_option(form, button, _value(button)) for button in several]
    types = any(_is_typed(control) for control in _controls(form))
    return [] if types and all(option.kind == "other" for option in options) else options


def _option(form: Tag, control: Tag, value: str) -> Option:
    label = _label(form, control)
    if control.name == "button" or _type(control) == "submit":
        label = _words(control) or value
    hints = f"{value} {control.get('id', '')} {control.get('class', '')} {label}"
    return Option(label or value, kind_of(hints), {str(control["name"]): value})


def _submits(form: Tag) -> list[Tag]:
    return [control for control in _controls(form) if _type(control) in {"submit", "image"}]


def _label(form: Tag, control: Tag) -> str:
    """What the page writes beside a control."""
    own = control.get("id")
    label = form.find("label", attrs={"for": own}) if own else None
    label = label or control.find_parent("label")
    words = _words(label) if isinstance(label, Tag) else ""
    return words or str(control.get("aria-label") or control.get("placeholder") or "")


def _words(tag: Tag) -> str:
    return printable(tag.get_text(" "))


def printable(text: str) -> str:
    """A page's words as a terminal may show them: one line, no control characters."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def _join(base: str, target: str) -> str:
    """An absolute address; one that is none is nowhere."""
    try:
        joined = urljoin(base, target.strip())
        urlsplit(joined)
    except ValueError:
        return "about:invalid"
    return joined


def _type(control: Tag) -> str:
    default = "submit" if control.name == "button" else "text"
    return str(control.get("type") or default).strip().lower()


def _is_typed(control: Tag) -> bool:
    """Whether a person types into it; a hidden one is a decoy or a script's."""
    fits = control.name == "textarea" or (control.name == "input" and _type(control) in _TYPED)
    if not fits or not control.get("name") or control.has_attr("disabled"):
        return False
    decoy = control.get("aria-hidden") == "true" or str(control.get("tabindex")) == "-1"
    return not decoy and not _hides(control)


def _hides(tag: Tag) -> bool:
    style = re.sub(r"\s", "", str(tag.get("style") or "").lower())
    return tag.has_attr("hidden") or "display:none" in style or "visibility:hidden" in style


def _is_hidden(tag: Tag) -> bool:
    return any(
        _hides(one) for one in [tag, *tag.parents] if isinstance(one, Tag) and one.name != "body"
    )


def _name_and_id(control: Tag) -> str:
    return " ".join(str(control.get(name) or "") for name in ("name", "id"))


def _password(passwords: list[Tag]) -> str | None:
    """The password's input; one in a hidden part counts only where there is no other."""
    shown = [control for control in passwords if not _is_hidden(control)] or passwords
    return str(shown[0]["name"]) if shown else None


def _sets_password(passwords: list[Tag]) -> bool:
    """Whether a form changes the password rather than asking for it."""
    shown = [control for control in passwords if not _is_hidden(control)]
    marked = [
        control
        for control in shown
        if control.get("autocomplete") == "new-password" and _NEW.search(_name_and_id(control))
    ]
    return bool(marked) or (
        len(shown) > 1 and any(_NEW.search(_name_and_id(control)) for control in shown)
    )


def _code(typed: list[Tag]) -> str | None:
    """An input for a code. RSA's and others' are of type password, but named for what they take."""
    marked = [i for i in typed if i.get("autocomplete") == "one-time-code"]
    named = [i for i in typed if _CODE.search(str(i["name"]))]
    by_id = [i for i in typed if _type(i) != "password" and _CODE.search(str(i.get("id") or ""))]
    for control in [*marked, *named, *by_id]:
        if _type(control) in {"text", "tel", "number", "password"}:
            return str(control["name"])
    return None


def _username(form: Form) -> str | None:
    """An input for the user name: named so, or the only text beside a password."""
    texts = [
        control
        for control in form.typed
        if _type(control) in {"text", "email", "tel"} and control["name"] != form.code
    ]
    texts = [control for control in texts if not _is_hidden(control)] or texts
    for control in texts:
        if str(control.get("autocomplete") or "").split(" ")[0] in {"username", "email"}:
            return str(control["name"])
    for pattern in _USER:
        for control in texts:
            if pattern.search(_name_and_id(control)):
                return str(control["name"])
    return str(texts[0]["name"]) if form.password and len(texts) == 1 else None
