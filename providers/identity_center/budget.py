"""A rate that calls from many threads keep together. Owns when the next call may go."""

from __future__ import annotations

import threading

from broker.ports.clock import Clock


class Budget:
    """At most `rate` calls a second, evenly spaced after a first burst.

    Args:
        rate: Calls a second.
        burst: Calls that may go at once at the start.
        clock: Time and sleep.
    """

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._gap = 1 / rate
        self._burst = burst
        self._clock = clock
        self._next = float("-inf")
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Sleep until this call may go."""
        with self._lock:
            now = self._clock.monotonic()
            earliest = now - self._gap * (self._burst - 1)
            mine = max(self._next, earliest)
            self._next = mine + self._gap
        if mine > now:
            self._clock.sleep(mine - now)

    def hold(self, seconds: float) -> None:
        """The other side asks for a pause: nobody calls before it is over."""
        with self._lock:
            self._next = max(self._next, self._clock.monotonic() + seconds)
