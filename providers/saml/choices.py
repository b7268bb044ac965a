"""Ways that a form offers to choose from: radio buttons, a list of methods, buttons of one name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from providers.saml.controls import CANCEL, Control, option_value, option_words, words_of

_KINDS = (
    ("webauthn", r"webauthn|passkey|fido|u2f|security.?key|certificate"),
    ("totp", r"otp|oath|passcode|verification.?code|authenticator.?app"),
    ("push", r"push|swipe|notif|azuremfa|approve|prompt"),
    ("sms", r"sms|text.?message|\btext\b"),
    ("call", r"call|voice|phone"),
    ("email", r"mail"),
    ("totp", r"token|authenticator|code|generator|mobile|securid"),
)


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


def kind_of(description: str) -> str:
    """The word of `mfa:` for what a page calls a method, such as `sms`; else `other`."""
    lower = description.lower()
    return next((kind for kind, pattern in _KINDS if re.search(pattern, lower)), "other")


def options_of(controls: Sequence[Control]) -> list[Option]:
    """The ways to choose from; empty where the form offers none."""
    return _radios(controls) or _methods(controls) or _buttons(controls)


def _radios(controls: Sequence[Control]) -> list[Option]:
    groups: dict[str, list[Control]] = {}
    for radio in controls:
        if radio.type == "radio" and radio.name and not radio.tag.has_attr("disabled"):
            groups.setdefault(radio.name, []).append(radio)
    several = next((radios for radios in groups.values() if len(radios) > 1), [])
    return [_option(radio, str(radio.tag.get("value", "on"))) for radio in several]


def _methods(controls: Sequence[Control]) -> list[Option]:
    """The options of a `<select>` of sign-in methods; other lists keep what the page chose."""
    for select in controls:
        named = re.search(r"(?i)mfa|factor|method|device|auth", select.name_and_id)
        if select.tag.name != "select" or not select.name or not named:
            continue
        found = [
            Option(
                option_words(option) or option_value(option),
                kind_of(f"{option_value(option)} {option_words(option)}"),
                {select.name: option_value(option)},
            )
            for option in select.tag.find_all("option")
            if option_value(option)
        ]
        if len(found) > 1 and any(option.kind != "other" for option in found):
            return found
    return []


def _buttons(controls: Sequence[Control]) -> list[Option]:
    """Several submit buttons that share a name and differ in what they send.

    Beside an input, only buttons that name methods: others send it, or go back.
    """
    groups: dict[str, list[Control]] = {}
    for button in controls:
        if button.submits and button.name and button.value and not CANCEL.search(button.value):
            groups.setdefault(button.name, []).append(button)
    several = next((buttons for buttons in groups.values() if len(buttons) > 1), [])
    options = [_option(button, button.value) for button in several]
    types = any(control.is_typed for control in controls)
    return [] if types and all(option.kind == "other" for option in options) else options


def _option(control: Control, value: str) -> Option:
    is_button = control.tag.name == "button" or control.type == "submit"
    label = (words_of(control.tag) or value) if is_button else control.label
    hints = f"{value} {control.id} {control.tag.get('class', '')} {label}"
    return Option(label or value, kind_of(hints), {control.name: value})
