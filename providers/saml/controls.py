"""The controls of a form: what each is for, and what would be sent.

Owns telling them apart, by types, names, autocomplete and what is hidden; not what a page is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bs4 import Tag

from broker.terminal_text import one_line

_CODE = re.compile(
    r"(?i)otp|passcode|pass_code|one.?time|mfa.?(token|code)|2fa|two.?factor|verif.{0,9}code"
    r"|token_?(code|num)|ecom_?token|oath|authenticator|^code$|(security|sms|auth|login)_?code|^pin$"
    r"|challenge.?(question|response|answer)"
)
_NEW = re.compile(r"(?i)new|confirm|again|retype|re.?enter|repeat|verify|old|current|cpass|reset")
CANCEL = re.compile(r"(?i)cancel|back|reset|help|forgot|switch|resend|send.?again|call.?again")
REJECT = re.compile(r"(?i)reject|declin|deny|disagree|refuse|^no$")
_USER = (
    re.compile(r"(?i)user|login|e-?mail|identifier|uid|upn"),
    re.compile(r"(?i)account|^name$|signin|subject|principal"),
)
"""Names of the user's input, the surer ones first: `account` beside `username` is a company's."""
_TYPED = frozenset({"text", "email", "tel", "number", "password", "search", "url"})


@dataclass(frozen=True, eq=False)
class Control:
    """One control.

    Attributes:
        tag: Its element.
        label_tag: The `<label>` that names it, if any.
        is_hidden: It, or an element around it, is not shown.
    """

    tag: Tag
    label_tag: Tag | None
    is_hidden: bool

    @property
    def name(self) -> str:
        """Under which its value is sent; empty where it is not."""
        return str(self.tag.get("name") or "")

    @property
    def id(self) -> str:
        """Its `id`."""
        return str(self.tag.get("id") or "")

    @property
    def value(self) -> str:
        """Its `value`."""
        return str(self.tag.get("value") or "")

    @property
    def type(self) -> str:
        """Its type, in lower case."""
        default = "submit" if self.tag.name == "button" else "text"
        return str(self.tag.get("type") or default).strip().lower()

    @property
    def submits(self) -> bool:
        """Whether it is a button that sends the form."""
        return self.type in {"submit", "image"}

    @property
    def name_and_id(self) -> str:
        """Both, to look for words in."""
        return f"{self.name} {self.id}"

    @cached_property
    def label(self) -> str:
        """What the page writes beside it."""
        text = words_of(self.label_tag) if self.label_tag else ""
        return text or str(self.tag.get("aria-label") or self.tag.get("placeholder") or "")

    @cached_property
    def is_typed(self) -> bool:
        """Whether a person types into it; a hidden one is a decoy or a script's."""
        tag = self.tag
        fits = tag.name == "textarea" or (tag.name == "input" and self.type in _TYPED)
        if not fits or not self.name or tag.has_attr("disabled"):
            return False
        decoy = tag.get("aria-hidden") == "true" or str(tag.get("tabindex")) == "-1"
        return not decoy and not hides(tag)

    @property
    def waits_for_choice(self) -> bool:
        """Whether somebody has to decide something: a list to choose from, a box to tick."""
        if self.tag.name == "select":
            return len(self.tag.find_all("option")) > 1 and not self.is_hidden
        boxed = self.type == "checkbox" and self.tag.has_attr("required")
        return boxed and not self.tag.has_attr("checked")


def pressed(controls: Sequence[Control]) -> Control | None:
    """The button that a person would press: the first that does not lead back or away."""
    onward = [
        button
        for button in controls
        if button.submits
        and not CANCEL.search(button.name_and_id)
        and not REJECT.search(button.name)
    ]
    return min(onward, key=lambda button: bool(CANCEL.search(button.value)), default=None)


def fields_of(controls: Sequence[Control], button: Control | None) -> tuple[tuple[str, str], ...]:
    """The successful controls (HTML, "constructing the form data set"), the button included."""
    fields: list[tuple[str, str]] = []
    for control in controls:
        tag = control.tag
        if not control.name or (tag.has_attr("disabled") and not control.submits):
            continue
        if control.submits:
            if control is button:
                fields.append((control.name, control.value))
        elif tag.name == "select":
            fields.append((control.name, _chosen_option(tag)))
        elif control.type in {"checkbox", "radio"}:
            if tag.has_attr("checked"):
                fields.append((control.name, str(tag.get("value", "on"))))
        elif control.type not in {"button", "reset", "file"}:
            text = tag.get_text() if tag.name == "textarea" else tag.get("value", "")
            fields.append((control.name, str(text)))
    return tuple(fields)


def _chosen_option(select: Tag) -> str:
    options = select.find_all("option")
    chosen = next((o for o in options if o.has_attr("selected")), options[0] if options else None)
    return option_value(chosen) if chosen else ""


def option_value(option: Tag) -> str:
    """What an `<option>` sends."""
    return str(option["value"]) if option.has_attr("value") else option_words(option)


def option_words(option: Tag) -> str:
    """An option's words; one that is not closed seems to hold those that follow."""
    return " ".join("".join(option.find_all(string=True, recursive=False)).split())


def username_of(typed: Sequence[Control], password: str | None, code: str | None) -> str | None:
    """An input for the user name: named so, or the only text beside a password."""
    texts = [
        control
        for control in typed
        if control.type in {"text", "email", "tel"} and control.name != code
    ]
    texts = [control for control in texts if not control.is_hidden] or texts
    for control in texts:
        autocomplete = str(control.tag.get("autocomplete") or "").split(" ")
        if autocomplete[0] in {"username", "email"}:
            return control.name
    for pattern in _USER:
        for control in texts:
            if pattern.search(control.name_and_id):
                return control.name
    return texts[0].name if password and len(texts) == 1 else None


def password_of(passwords: Sequence[Control]) -> str | None:
    """The password's input; one in a hidden part counts only where there is no other."""
    shown = [control for control in passwords if not control.is_hidden] or passwords
    return shown[0].name if shown else None


def sets_password(passwords: Sequence[Control]) -> bool:
    """Whether a form changes the password rather than asking for it."""
    shown = [control for control in passwords if not control.is_hidden]
    marked = [
        control
        for control in shown
        if control.tag.get("autocomplete") == "new-password" and _NEW.search(control.name_and_id)
    ]
    several = len(shown) > 1 and any(_NEW.search(control.name_and_id) for control in shown)
    return bool(marked) or several


def code_of(typed: Sequence[Control]) -> str | None:
    """An input for a code. RSA's and others' are of type password, but named for what they take."""
    marked = [control for control in typed if control.tag.get("autocomplete") == "one-time-code"]
    named = [control for control in typed if _CODE.search(control.name)]
    by_id = [
        control for control in typed if control.type != "password" and _CODE.search(control.id)
    ]
    for control in [*marked, *named, *by_id]:
        if control.type in {"text", "tel", "number", "password"}:
            return control.name
    return None


def words_of(tag: Tag) -> str:
    """What is written in an element, as a terminal may show it."""
    return one_line(tag.get_text(" "))


def hides(tag: Tag) -> bool:
    """Whether an element says of itself that it is not shown."""
    style = re.sub(r"\s", "", str(tag.get("style") or "").lower())
    return tag.has_attr("hidden") or "display:none" in style or "visibility:hidden" in style
