"""A sign-in page: its forms, what each asks for, and what it says. Owns reading HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any
from urllib.parse import urljoin

from bs4 import BeautifulSoup, Tag

_CODE = re.compile(
    r"(?i)otp|totp|passcode|pass_code|one.?time|mfa|2fa|two.?factor|verif|token_?code|oathcode"
    r"|authenticator|^code$|security_?code|sms_?code"
)
_USER = re.compile(r"(?i)user|login|email|e-mail|identifier|account|uid|^name$|signin")
_SWITCH = re.compile(r"(?i)try.?another|select.?auth|webauthn|sign.?out|logout|cancel|locale|lang")
_CANCEL = re.compile(r"(?i)cancel|back|reset|help|forgot|switch|resend")
_ERRORS = (
    "#errorText",
    "#input-error",
    "#input-error-username",
    "#input-error-password",
    ".kc-feedback-text",
    ".alert-error",
    ".ping-error",
    ".form-error",
    ".error",
    ".errors",
    ".message-box.error",
    "[role=alert]",
)


class Kind(Enum):
    """What a form asks for."""

    RESPONSE = "the SAML response"
    PASSWORD = "a password"  # noqa: S105
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
        names: The names of the inputs that take user name, password and code, where there are.
    """

    action: str
    method: str
    fields: list[tuple[str, str]]
    tag: Tag | None = None
    username: str | None = None
    password: str | None = None
    code: str | None = None

    def filled(self, **values: str) -> list[tuple[str, str]]:
        """The fields with these values put in, whatever stood there."""
        kept = [(name, value) for name, value in self.fields if name not in values]
        return [*kept, *values.items()]

    def value(self, name: str) -> str | None:
        """What a field holds."""
        return next((value for key, value in self.fields if key == name), None)

    @cached_property
    def kind(self) -> Kind:
        """What it asks for."""
        if self.value("SAMLResponse"):
            return Kind.RESPONSE
        if self.password:
            return Kind.PASSWORD
        if self.code:
            return Kind.CODE
        if self.username:
            return Kind.USERNAME
        return Kind.ONWARD if self._leads_on() else Kind.OTHER

    def _leads_on(self) -> bool:
        """Hidden fields and at most a button: a page that posts itself onwards."""
        assert self.tag
        label = f"{self.tag.get('id', '')} {self.tag.get('name', '')} {self.action}"
        if self.value("SAMLRequest"):
            return True
        seen = [i for i in self.tag.find_all(["input", "select", "textarea"]) if not _is_quiet(i)]
        return bool(self.fields) and not seen and not _SWITCH.search(label)


@dataclass
class Page:
    """One page."""

    url: str
    soup: BeautifulSoup
    selectors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str, text: str, selectors: dict[str, str] | None = None) -> Page:
        """Read a page; `selectors` are CSS selectors of the YAML that say where the fields are."""
        return cls(url, BeautifulSoup(text, "html.parser"), selectors or {})

    @cached_property
    def title(self) -> str:
        """The page's own name: its title and id."""
        title = " ".join(self.soup.title.get_text().split()) if self.soup.title else "no title"
        body = self.soup.body
        page_id = (body.get("data-page-id") or body.get("id")) if body else None
        return f"“{title[:120]}”" + (f" ({page_id})" if page_id else "")

    @cached_property
    def page_id(self) -> str:
        """`data-page-id` of the body, as Keycloak gives it."""
        return str(self.soup.body.get("data-page-id") or "") if self.soup.body else ""

    @cached_property
    def forms(self) -> list[Form]:
        """Every form."""
        base = self.soup.find("base", href=True)
        root = urljoin(self.url, str(base["href"])) if isinstance(base, Tag) else self.url
        return [self._form(tag, root) for tag in self.soup.find_all("form")]

    @property
    def refresh(self) -> str | None:
        """Where a `<meta http-equiv=refresh>` leads, without delay."""
        tag = self.soup.find("meta", attrs={"http-equiv": re.compile("^refresh$", re.IGNORECASE)})
        match = (
            re.fullmatch(r"\s*[0-5]\s*;\s*url=(.+)", str(tag.get("content", "")), re.IGNORECASE)
            if isinstance(tag, Tag)
            else None
        )
        return urljoin(self.url, match.group(1).strip("'\" ")) if match else None

    def first(self, kind: Kind) -> Form | None:
        """The first form of a kind."""
        return next((form for form in self.forms if form.kind is kind), None)

    def error(self) -> str:
        """What the page says went wrong, in its own words and language; empty if nothing."""
        chosen = self.selectors.get("error")
        for selector in [chosen] if chosen else _ERRORS:
            for tag in self.soup.select(selector):
                hidden = re.search(r"display:\s*none", str(tag.get("style", "")))
                words = " ".join(tag.get_text(" ").split())
                if words and not hidden:
                    return words[:300]
        return ""

    def _form(self, tag: Tag, root: str) -> Form:
        # A form without action posts to the page's own address, whatever <base> says.
        action = str(tag.get("action") or "").strip()
        form = Form(
            tag=tag,
            action=urljoin(root, action) if action else self.url,
            method="get" if str(tag.get("method", "")).lower() == "get" else "post",
            fields=_fields(tag),
        )
        inputs = [i for i in tag.find_all("input") if i.get("name") and not _is_quiet(i)]
        form.password = self._selected(tag, "password") or _password(inputs)
        form.code = self._selected(tag, "code") or _code(inputs)
        if form.code == form.password:
            form.password = None
        form.username = self._selected(tag, "username") or _username(inputs, form)
        return form

    def _selected(self, tag: Tag, what: str) -> str | None:
        selector = self.selectors.get(what)
        found = tag.select_one(selector) if selector else None
        return str(found["name"]) if found and found.get("name") else None


def _fields(tag: Tag) -> list[tuple[str, str]]:
    """The successful controls (HTML, "constructing the form data set"), first button included."""
    fields: list[tuple[str, str]] = []
    pressed = False
    for control in tag.find_all(["input", "select", "textarea", "button"]):
        name, kind = control.get("name"), _type(control)
        if not name or control.has_attr("disabled"):
            continue
        if kind in {"submit", "image"}:
            if not pressed and not _CANCEL.search(f"{name} {control.get('value', '')}"):
                fields.append((str(name), str(control.get("value", ""))))
                pressed = True
        elif control.name == "select":
            fields.append((str(name), _option(control)))
        elif kind in {"checkbox", "radio"}:
            if control.has_attr("checked"):
                fields.append((str(name), str(control.get("value", "on"))))
        elif kind not in {"button", "reset", "file"}:
            text = control.get_text() if control.name == "textarea" else control.get("value", "")
            fields.append((str(name), str(text)))
    return fields


def _option(select: Tag) -> str:
    options = select.find_all("option")
    chosen = next((o for o in options if o.has_attr("selected")), options[0] if options else None)
    if chosen is None:
        return ""
    return str(chosen["value"]) if chosen.has_attr("value") else chosen.get_text().strip()


def _type(control: Any) -> str:
    default = "submit" if control.name == "button" else "text"
    return str(control.get("type") or default).lower()


def _is_quiet(control: Tag) -> bool:
    """Whether nobody types into it."""
    if control.name == "input" and _type(control) in {"hidden", "submit", "button", "image"}:
        return True
    style = str(control.get("style", ""))
    return bool(re.search(r"display:\s*none", style))


def _words(control: Tag) -> str:
    return " ".join(str(control.get(name, "")) for name in ("name", "id", "autocomplete"))


def _password(inputs: list[Tag]) -> str | None:
    return next((str(i["name"]) for i in inputs if _type(i) == "password"), None)


def _code(inputs: list[Tag]) -> str | None:
    """An input for a code. RSA's and others' are of type password, but named for what they take."""
    for control in inputs:
        name, kind = str(control["name"]), _type(control)
        if kind in {"text", "tel", "number", "password"} and (
            control.get("autocomplete") == "one-time-code" or _CODE.search(name)
        ):
            return name
        if kind in {"tel", "number", "text"} and _CODE.search(str(control.get("id", ""))):
            return name
    return None


def _username(inputs: list[Tag], form: Form) -> str | None:
    """An input for the user name: named so, or the only text beside a password."""
    texts = [i for i in inputs if _type(i) in {"text", "email"} and i["name"] != form.code]
    for control in texts:
        if _USER.search(_words(control)):
            return str(control["name"])
    return str(texts[0]["name"]) if form.password and len(texts) == 1 else None
