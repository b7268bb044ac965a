"""The controls of a form: what each is for, what would be sent, what there is to choose from.

Owns telling them apart, by types, names, autocomplete and what is hidden; not what a page is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bs4 import Tag

_CODE = re.compile(
    r"(?i)otp|passcode|pass_code|one.?time|mfa.?(token|code)|2fa|two.?factor|verif.{0,9}code"
    r"|token_?(code|num)|ecom_?token|oath|authenticator|^code$|(security|sms|auth|login)_?code|^pin$"
    r"|challenge.?(question|response|answer)"
)
_NEW = re.compile(r"(?i)new|confirm|again|retype|repeat|verify|old|current|cpass")
_CANCEL = re.compile(r"(?i)cancel|back|reset|help|forgot|switch|resend|send.?again|call.?again")
REJECT = re.compile(r"(?i)reject|declin|deny|disagree|refuse|^no$")
_KINDS = (
    ("webauthn", r"webauthn|passkey|fido|u2f|security.?key|certificate"),
    ("totp", r"otp|oath|passcode|verification.?code|authenticator.?app"),
    ("push", r"push|swipe|notif|azuremfa|approve|prompt"),
    ("sms", r"sms|text.?message|\btext\b"),
    ("call", r"call|voice|phone"),
    ("email", r"mail"),
    ("totp", r"token|authenticator|code|generator|mobile|securid"),
)
_TYPED = frozenset({"text", "email", "tel", "number", "password", "search", "url"})


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


def kind_of(words: str) -> str:
    """The word of `mfa:` for a method that the page names so; `other` where it does not tell."""
    lower = words.lower()
    return next((kind for kind, pattern in _KINDS if re.search(pattern, lower)), "other")


def controls_of(form: Tag) -> Iterator[Tag]:
    """The form's controls, and those elsewhere that name it as theirs."""
    own = form.get("id")
    root = form.find_parents()[-1] if own and form.find_parents() else form
    for control in root.find_all(["input", "select", "textarea", "button"]):
        owner = control.get("form")
        if owner == own if owner else control.find_parent("form") is form:
            yield control


def pressed(controls: list[Tag]) -> Tag | None:
    """The button that a person would press: the first that does not lead back or away."""
    buttons = [control for control in controls if type_of(control) in {"submit", "image"}]
    onward = [
        button
        for button in buttons
        if not _CANCEL.search(name_and_id(button))
        and not REJECT.search(str(button.get("name") or ""))
    ]
    return min(onward, key=lambda button: bool(_CANCEL.search(_value(button))), default=None)


def fields_of(controls: list[Tag], button: Tag | None) -> list[tuple[str, str]]:
    """The successful controls (HTML, "constructing the form data set"), the button included."""
    fields: list[tuple[str, str]] = []
    for control in controls:
        name, kind = control.get("name"), type_of(control)
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


def waits_for_choice(control: Tag) -> bool:
    """Whether somebody has to decide something first: a list to choose from, a box to tick."""
    if control.name == "select":
        return len(control.find_all("option")) > 1 and not is_hidden(control)
    boxed = type_of(control) == "checkbox" and control.has_attr("required")
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


def options_of(form: Tag) -> list[Option]:
    """Ways to choose from: radio buttons, a list of methods, or several buttons of one name."""
    return _radios(form) or _methods(form) or _buttons(form)


def _radios(form: Tag) -> list[Option]:
    groups: dict[str, list[Tag]] = {}
    for radio in controls_of(form):
        if type_of(radio) == "radio" and radio.get("name") and not radio.has_attr("disabled"):
            groups.setdefault(str(radio["name"]), []).append(radio)
    name = next((name for name, radios in groups.items() if len(radios) > 1), None)
    return [
        _option(form, radio, str(radio.get("value", "on"))) for radio in groups.get(name or "", ())
    ]


def _methods(form: Tag) -> list[Option]:
    """The options of a `<select>` of sign-in methods; other lists keep what the page chose."""
    for select in controls_of(form):
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
        named = re.search(r"(?i)mfa|factor|method|device|auth", name_and_id(select))
        if len(found) > 1 and named and any(option.kind != "other" for option in found):
            return found
    return []


def _buttons(form: Tag) -> list[Option]:
    """Several submit buttons that share a name and differ in what they send.

    Beside an input, only buttons that name methods: others send it, or go back.
    """
    groups: dict[str, list[Tag]] = {}
    for button in submits(form):
        if button.get("name") and _value(button) and not _CANCEL.search(_value(button)):
            groups.setdefault(str(button["name"]), []).append(button)
    several = next((buttons for buttons in groups.values() if len(buttons) > 1), [])
    options = [_option(form, button, _value(button)) for button in several]
    types = any(is_typed(control) for control in controls_of(form))
    return [] if types and all(option.kind == "other" for option in options) else options


def _option(form: Tag, control: Tag, value: str) -> Option:
    label = label_of(form, control)
    if control.name == "button" or type_of(control) == "submit":
        label = words_of(control) or value
    hints = f"{value} {control.get('id', '')} {control.get('class', '')} {label}"
    return Option(label or value, kind_of(hints), {str(control["name"]): value})


def submits(form: Tag) -> list[Tag]:
    """The buttons that send the form."""
    return [control for control in controls_of(form) if type_of(control) in {"submit", "image"}]


def label_of(form: Tag, control: Tag) -> str:
    """What the page writes beside a control."""
    own = control.get("id")
    label = form.find("label", attrs={"for": own}) if own else None
    label = label or control.find_parent("label")
    words = words_of(label) if isinstance(label, Tag) else ""
    return words or str(control.get("aria-label") or control.get("placeholder") or "")


def words_of(tag: Tag) -> str:
    """What is written in an element, as a terminal may show it."""
    return printable(tag.get_text(" "))


def printable(text: str) -> str:
    """A page's words as a terminal may show them: one line, no control characters."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def type_of(control: Tag) -> str:
    """A control's type, in lower case."""
    default = "submit" if control.name == "button" else "text"
    return str(control.get("type") or default).strip().lower()


def is_typed(control: Tag) -> bool:
    """Whether a person types into it; a hidden one is a decoy or a script's."""
    fits = control.name == "textarea" or (control.name == "input" and type_of(control) in _TYPED)
    if not fits or not control.get("name") or control.has_attr("disabled"):
        return False
    decoy = control.get("aria-hidden") == "true" or str(control.get("tabindex")) == "-1"
    return not decoy and not _hides(control)


def _hides(tag: Tag) -> bool:
    style = re.sub(r"\s", "", str(tag.get("style") or "").lower())
    return tag.has_attr("hidden") or "display:none" in style or "visibility:hidden" in style


def is_hidden(tag: Tag) -> bool:
    """Whether an element, or one around it, is not shown."""
    return any(
        _hides(one) for one in [tag, *tag.parents] if isinstance(one, Tag) and one.name != "body"
    )


def name_and_id(control: Tag) -> str:
    """Both, to look for words in."""
    return " ".join(str(control.get(name) or "") for name in ("name", "id"))


def password_of(passwords: list[Tag]) -> str | None:
    """The password's input; one in a hidden part counts only where there is no other."""
    shown = [control for control in passwords if not is_hidden(control)] or passwords
    return str(shown[0]["name"]) if shown else None


def sets_password(passwords: list[Tag]) -> bool:
    """Whether a form changes the password rather than asking for it."""
    shown = [control for control in passwords if not is_hidden(control)]
    marked = [
        control
        for control in shown
        if control.get("autocomplete") == "new-password" and _NEW.search(name_and_id(control))
    ]
    return bool(marked) or (
        len(shown) > 1 and any(_NEW.search(name_and_id(control)) for control in shown)
    )


def code_of(typed: list[Tag]) -> str | None:
    """An input for a code. RSA's and others' are of type password, but named for what they take."""
    marked = [i for i in typed if i.get("autocomplete") == "one-time-code"]
    named = [i for i in typed if _CODE.search(str(i["name"]))]
    by_id = [i for i in typed if type_of(i) != "password" and _CODE.search(str(i.get("id") or ""))]
    for control in [*marked, *named, *by_id]:
        if type_of(control) in {"text", "tel", "number", "password"}:
            return str(control["name"])
    return None
