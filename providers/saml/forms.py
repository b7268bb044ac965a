"""A page's forms: what each asks for, and what would be sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from urllib.parse import urljoin, urlsplit

from bs4 import Tag

from providers.saml.choices import Option, options_of
from providers.saml.controls import (
    REJECT,
    Control,
    code_of,
    fields_of,
    password_of,
    pressed,
    sets_password,
    username_of,
)

_SWITCH = re.compile(
    r"(?i)try.?another|select.?auth|authn_?select|web_?auth|sign.?out|log.?out|cancel|locale|lang"
    r"|reset|forgot|regist|help|search|newsletter|subscri|error.?repon?se"
)
_AGREE = re.compile(r"(?i)^(yes|accept|agree|approve|allow|_eventId_proceed)$")


class Kind(Enum):
    """What a form asks for."""

    RESPONSE = "the SAML response"
    PASSWORD = "a password"  # noqa: S105
    NEW_PASSWORD = "a new password"  # noqa: S105
    USERNAME = "a user name"
    CODE = "a one-time code"
    ONWARD = "nothing: it leads on by itself"
    OTHER = "something else"


@dataclass(frozen=True, eq=False)
class Form:
    """One form of a page.

    Attributes:
        action: Absolute address; `method` is `get` or `post`.
        fields: What would be sent if nothing were typed, in the page's order.
        controls: Its controls, in the page's order.
        is_hidden: It, or an element around it, is not shown.
        automatic: The page sends it without a person.
        waits_for_script: A script sends it, once something is clicked.
        charset: What its values are encoded with.
        username: With `password` and `code` the names of the inputs that take those, if any.
    """

    tag: Tag
    action: str
    method: str
    fields: tuple[tuple[str, str], ...]
    controls: tuple[Control, ...] = ()
    is_hidden: bool = False
    username: str | None = None
    password: str | None = None
    code: str | None = None
    new_password: bool = False
    automatic: bool = False
    waits_for_script: bool = False
    charset: str = "utf-8"

    def filled(self, **values: str) -> tuple[tuple[str, str], ...]:
        """The fields with these values put in, whatever stood there."""
        others = [(name, value) for name, value in self.fields if name not in values]
        return (*others, *values.items())

    def with_values(self, **values: str) -> Form:
        """The same form with these values in its fields."""
        return replace(self, fields=self.filled(**values))

    def value(self, name: str) -> str | None:
        """What a field holds."""
        return next((value for key, value in self.fields if key == name), None)

    def has(self, name: str) -> bool:
        """Whether there is a field of this name."""
        return self.value(name) is not None

    def label(self, name: str) -> str:
        """What the page calls an input."""
        return next((control.label for control in self.controls if control.name == name), "")

    @property
    def id(self) -> str:
        """Its id, else its name."""
        return str(self.tag.get("id") or self.tag.get("name") or "")

    @cached_property
    def typed(self) -> tuple[Control, ...]:
        """The controls that somebody would type into."""
        return tuple(control for control in self.controls if control.is_typed)

    @cached_property
    def buttons(self) -> tuple[Control, ...]:
        """The buttons that send it."""
        return tuple(control for control in self.controls if control.submits)

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
        return options_of(self.controls)

    @property
    def can_be_declined(self) -> bool:
        """Whether a button of it says no: then to press the other one is a person's decision."""
        names = {button.name for button in self.buttons}
        return any(REJECT.search(name) for name in names) or {"accept", "cancel"} <= names

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
        return self.typed[0].name if len(self.typed) == 1 else None

    def _leads_on(self) -> bool:
        """Hidden fields and at most a button: a page that posts itself onwards."""
        if self.waits_for_script:
            return False
        if self.has("SAMLRequest") or self.has("wresult"):
            return True
        return (
            bool(self.fields)
            and not self.typed
            and not self.options
            and not self.is_aside
            and not any(control.waits_for_choice for control in self.controls)
        )


def read_form(
    tag: Tag,
    controls: tuple[Control, ...],
    *,
    url: str,
    root: str,
    selectors: Mapping[str, str],
    charset: str,
) -> Form:
    """Read one form.

    Args:
        tag: Its element.
        controls: Those that belong to it.
        url: The page's address: a form without action posts there, whatever `<base>` says.
        root: What links of the page start from.
        selectors: CSS selectors of the YAML that say where the fields are.
        charset: What the page came in.
    """
    button = pressed(controls)
    stated = (button and button.tag.get("formaction")) or tag.get("action") or ""
    action = str(stated).strip()
    typed = tuple(control for control in controls if control.is_typed)
    code = _selected(tag, selectors.get("code")) or code_of(typed)
    passwords = [
        control for control in typed if control.type == "password" and control.name != code
    ]
    password = _selected(tag, selectors.get("password")) or password_of(passwords)
    # HTML's default is GET; where somebody types, a script posts, and GET would show secrets.
    method = (button and button.tag.get("formmethod")) or tag.get("method")
    method = str(method or ("post" if typed else "get")).strip().lower()
    return Form(
        tag=tag,
        action=absolute(root, action) if action else url,
        method="get" if method == "get" else "post",
        fields=fields_of(controls, button),
        controls=controls,
        username=_selected(tag, selectors.get("username")) or username_of(typed, password, code),
        password=password,
        code=code,
        new_password=not selectors.get("password") and sets_password(passwords),
        charset=str(tag.get("accept-charset") or charset),
    )


def absolute(base: str, target: str) -> str:
    """An absolute address; one that is none is nowhere."""
    try:
        joined = urljoin(base, target.strip())
        urlsplit(joined)
    except ValueError:
        return "about:invalid"
    return joined


def _selected(tag: Tag, selector: str | None) -> str | None:
    """The name of the input that a CSS selector finds in a form."""
    found = tag.select_one(selector) if selector else None
    return str(found["name"]) if found and found.get("name") else None
