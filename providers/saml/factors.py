"""Second factors: which one is taken, how often a code is asked for, how long a push is polled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeVar

from broker.errors import ConfigError, InteractionRequired, LoginRefused
from broker.ports.clock import Clock
from broker.ports.security_key import INSTALL, SecurityKeys
from broker.ports.ui import Ui
from broker.ports.urls import host_of
from providers.saml.credentials import Person, quoted

T = TypeVar("T")

CODES = 3
"""Codes that a person may type; a machine sends one."""
IN_A_BROWSER_ALONE = frozenset({"webauthn", "u2f", "duo", "unknown"})
"""Kinds that a terminal cannot do, but for a security key where one is plugged in."""
KEY = "webauthn"
PUSH_PATIENCE = 120.0
"""Seconds that a person has for a push, however often the provider lets us ask."""


@dataclass(frozen=True)
class Factor:
    """One factor that the provider offers.

    Attributes:
        kind: `push`, `totp`, `sms`, `call`, `email`, `question` or `token`, as `mfa:` of the YAML
            names it; or one of `IN_A_BROWSER_ALONE`.
        label: As the person knows it, such as `SMS to +1 XXX-XXX-1234`.
        handle: What the provider's file needs to use it.
        id: What the provider calls it; `mfa:` may name it so.
    """

    kind: str
    label: str
    handle: Any = None
    id: str = ""


class BrowserAloneError(LoginRefused):
    """The second factor works in a browser alone."""


def choose(
    factors: Sequence[Factor], wanted: str | None, ui: Ui, keys: SecurityKeys | None = None
) -> Factor:
    """The factor that `mfa:` names by its kind, its label or its id, else the only one or the pick.

    Of several with one label the later ones are shown, and named in `mfa:`, as `iPhone (2)`.

    Args:
        factors: What the provider offers.
        wanted: `mfa:` of the YAML.
        ui: The person.
        keys: Those plugged in, where the provider's challenge can be answered without a browser.

    Raises:
        ConfigError: `mfa:` names one that is not offered.
        InteractionRequired: Several, and nobody to pick.
        LoginRefused: None at all is offered, or none that a terminal can do.
    """
    offered = _numbered(factors)
    usable = keys is not None and _key_is_usable(offered, wanted, ui, keys)
    alone = IN_A_BROWSER_ALONE - ({KEY} if usable else set())
    factors = [factor for factor in offered if factor.kind not in alone]
    if offered and (not factors or wanted in {f.kind for f in offered if f not in factors}):
        others = ", ".join(factor.label for factor in offered if factor not in factors)
        has_key = keys and any(factor.kind == KEY for factor in offered)
        raise BrowserAloneError(
            f"the second factor of this account works in a browser alone: {others}",
            hint="`idp: browser` does it; or register another factor"
            + (by_key(keys) if keys and has_key else ""),
        )
    if not factors:
        raise LoginRefused(
            "the identity provider wants a second factor and this account has none that works here",
            hint="register one, or sign in with `idp: browser`",
        )
    fitting = [f for f in factors if wanted in {None, f.kind, f.label, f.id}]
    names = ", ".join(f"{factor.kind} ({factor.label})" for factor in factors)
    if not fitting:
        raise ConfigError(
            f"`mfa: {wanted}` is not among this account's factors: {names}",
            hint="set `mfa` of the provider to the kind or the name of one, or leave it out",
        )
    if len(fitting) > 1 and not ui.interactive:
        raise InteractionRequired(
            f"the account has several second factors: {', '.join(f.label for f in fitting)}",
            hint="set `mfa` of the provider to the kind or the name of one",
        )
    labels = [factor.label for factor in fitting]
    return fitting[ui.choose("Which second factor?", labels, hint="`mfa` of the provider")]


def _key_is_usable(
    offered: Sequence[Factor], wanted: str | None, ui: Ui, keys: SecurityKeys
) -> bool:
    """Whether a security key is among the choices: asked for, the only one, or plugged in.

    One that lies in a drawer must not make a choice of what was none.
    """
    own = [factor for factor in offered if factor.kind == KEY]
    if not (own and ui.interactive and keys.are_supported):
        return False
    named = any(wanted in {factor.kind, factor.label, factor.id} for factor in own)
    is_only = all(factor.kind in IN_A_BROWSER_ALONE for factor in offered)
    return named or is_only or (wanted is None and keys.are_present())


def by_key(keys: SecurityKeys) -> str:
    """What lets a security key do it, as the end of a hint."""
    if not keys.are_supported:
        return f"; {INSTALL} lets a security key do it from here"
    return "; on a terminal, a security key does it"


def _numbered(factors: Sequence[Factor]) -> list[Factor]:
    """The factors, with labels of which no two are equal."""
    found: list[Factor] = []
    for factor in factors:
        labels = {earlier.label for earlier in found}
        numbers = (f"{factor.label} ({number})" for number in count(2))
        label = factor.label
        while label in labels:
            label = next(numbers)
        found.append(replace(factor, label=label))
    return found


class WrongCode(Exception):
    """The provider does not take the code.

    Attributes:
        message: What the provider says of it; empty where it says nothing.
        otherwise: What the person is shown then.
    """

    def __init__(self, message: str = "", otherwise: str = "That code is wrong.") -> None:
        super().__init__(message)
        self.message = message
        self.otherwise = otherwise


def send_code(send: Callable[[str], T], person: Person, ui: Ui, factor: Factor, to: str) -> T:
    """Send a code; a wrong one is asked for again of a person, at most twice, never of a machine.

    Args:
        send: Posts one code; raises `WrongCode`.
        person: Who has it.
        ui: Where the provider's words are shown.
        factor: What it comes from.
        to: The address that it goes to.

    Raises:
        LoginRefused: The code is wrong.
    """
    for left in reversed(range(CODES)):
        code = person.code(to, factor.kind, factor.label)
        try:
            return send(code.reveal())
        except WrongCode as wrong:
            if person.code_is_final or not left:
                raise LoginRefused(
                    wrong.message or "the identity provider refused the code",
                    hint="wait for the next code and try again",
                ) from None
            reason = (
                f"{host_of(to)} says: {quoted(wrong.message)}" if wrong.message else wrong.otherwise
            )
            ui.show(reason)
    raise AssertionError("unreachable")


def poll(
    ask: Callable[[], T | None], clock: Clock, *, every: float, at_most: float = PUSH_PATIENCE
) -> T:
    """Ask again and again until there is an answer.

    Args:
        ask: None as long as the person has not decided.
        clock: Time and sleep.
        every: Seconds between two questions.
        at_most: Seconds in all.

    Raises:
        LoginRefused: Nobody decided in time.
    """
    end = clock.monotonic() + at_most
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if clock.monotonic() + every > end:
            raise LoginRefused("nobody answered the second factor in time", hint="run it again")
        clock.sleep(every)
