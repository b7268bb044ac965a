"""Second factors: which one is taken, and how long one that is polled is waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from broker.errors import ConfigError, InteractionRequired, LoginRefused
from broker.ports.clock import Clock
from broker.ports.ui import Ui

T = TypeVar("T")

PUSH_PATIENCE = 120.0
"""Seconds that a person has for a push, however often the provider lets us ask."""


@dataclass(frozen=True)
class Factor:
    """One factor that the provider offers.

    Attributes:
        kind: `push`, `totp`, `sms`, `call`, `email`, `question`, `token` or `webauthn`, as `mfa:`
            of the YAML names it.
        label: As the person knows it, such as `SMS to +1 XXX-XXX-1234`.
        handle: What the provider's file needs to use it.
    """

    kind: str
    label: str
    handle: Any = None


def choose(factors: Sequence[Factor], wanted: str | None, ui: Ui) -> Factor:
    """The factor that `mfa:` names by its kind or its label, else the only one, else the pick.

    Raises:
        ConfigError: `mfa:` names one that is not offered.
        InteractionRequired: Several, and nobody to pick.
        LoginRefused: None at all is offered.
    """
    if not factors:
        raise LoginRefused(
            "the identity provider wants a second factor and this account has none that works here",
            hint="register one, or sign in with `idp: browser`",
        )
    fitting = [factor for factor in factors if wanted in {None, factor.kind, factor.label}]
    kinds = sorted({factor.kind for factor in factors})
    if not fitting:
        raise ConfigError(
            f"`mfa: {wanted}` is not among this account's factors: {', '.join(kinds)}",
            hint="set `mfa` of the provider to one of them, or leave it out",
        )
    if len(fitting) > 1 and not ui.interactive:
        raise InteractionRequired(
            f"the account has several second factors: {', '.join(f.label for f in fitting)}",
            hint="set `mfa` of the provider to the kind or the name of one",
        )
    labels = [factor.label for factor in fitting]
    return fitting[ui.choose("Which second factor?", labels, hint="`mfa` of the provider")]


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
