"""A sign-in on any device: a code is shown, and the token endpoint asked until it is confirmed.

Source: RFC 8628, sections 3.2 to 3.5.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from broker.errors import LoginRefused, NetworkError, Throttled
from broker.ports import Ports
from broker.ports.browser_reachability import browser_is_here, in_wsl
from broker.ports.clock import Clock
from broker.ports.urls import require_safe

T = TypeVar("T")

INTERVAL_SECONDS, CODE_LIFE_SECONDS = 5.0, 600.0
"""Where the service does not say them."""
SLOW_DOWN_SECONDS = 5.0
"""What `slow_down` adds to the interval."""
FAILING_SECONDS = 60.0
"""Of failures without one answer between them, after which polling gives up."""


class NotYetError(Throttled):
    """Ask later.

    Args:
        message: Who asks to wait.
        slower: Seconds that are added to the interval.
        answered: Whether the service dealt with the question; a throttled one it did not.
    """

    def __init__(self, message: str, *, slower: float = 0.0, answered: bool = True) -> None:
        super().__init__(message, hint="try again later")
        self.slower = slower
        self.answered = answered


@dataclass(frozen=True)
class Pace:
    """How often to ask, and for how long: seconds."""

    interval: float
    life: float

    @classmethod
    def of(cls, interval: float | None, life: float | None) -> Pace:
        """The service's own numbers, or the standard's where it says none that make sense.

        Raises:
            ValueError, TypeError: No numbers.
        """
        asked = float(interval or 0)
        return cls(asked if asked > 0 else INTERVAL_SECONDS, float(life or 0) or CODE_LIFE_SECONDS)


def show_code(ports: Ports, address: str, code: str) -> None:
    """Show where to go with which code, and open a browser where there is one.

    Raises:
        UnexpectedReply: The address is no safe one.
    """
    require_safe(address)
    ports.ui.show(f"Sign in at {address}\nand check that it shows the code {code}")
    if browser_is_here(os.environ) or in_wsl(os.environ):
        ports.ui.browse(address)


def poll(clock: Clock, ask: Callable[[], T], pace: Pace) -> T:
    """Ask until there is an answer.

    Args:
        clock: Time and sleep.
        ask: Raises `NotYetError` while the person has not decided.
        pace: The first interval, and the life of the code.

    Raises:
        LoginRefused: Nobody confirmed it before the code's life was over.
        NetworkError: The service failed for a minute without one answer.
    """
    interval, answered = pace.interval, clock.monotonic()
    end = answered + pace.life
    while clock.monotonic() + interval < end:
        clock.sleep(interval)
        try:
            return ask()
        except NotYetError as not_yet:
            interval += not_yet.slower
            failure: NetworkError = not_yet
            answered = clock.monotonic() if not_yet.answered else answered
        except NetworkError as error:
            failure = error
        if clock.monotonic() - answered > max(FAILING_SECONDS, 2 * interval):
            raise failure
    clock.sleep(max(0.0, end - clock.monotonic()))
    raise LoginRefused("nobody confirmed the sign-in before its code expired", hint="run it again")
