"""A rate that calls from many threads keep together. Owns when the next call may go."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from broker.ports.clock import Clock

WINDOW = 1.005
"""Seconds; the 5 ms are for clocks that tick in steps."""
TOO_SHORT = 0.005
SLOWER = 0.8
SLOWEST = 2.0


class Budget:
    """At most `rate` calls in any second, wherever the other side begins to count.

    A call counts until a second after its reply: by then it had certainly arrived. So a sliding
    window, a fixed one and a bucket of `rate` tokens all hold that many, and the first calls need
    not be spread. A side that refuses even so gets them one by one, then fewer.

    Args:
        rate: Calls a second.
        clock: Time and sleep.
    """

    def __init__(self, rate: int, clock: Clock) -> None:
        self._limit = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way = 0
        self._ended: deque[float] = deque()
        self._not_before = float("-inf")
        self._last_start = float("-inf")
        self._gap = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Sleep until a call may go, and count it."""
        while (pause := self._pause_or_start()) > 0:
            self._clock.sleep(pause)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._ended.append(self._clock.monotonic())

    def hold(self, seconds: float) -> None:
        """The other side refuses calls: nobody calls for so long, and slower from then on."""
        with self._lock:
            now = self._clock.monotonic()
            if now >= self._not_before:  # else these calls were sent before the last refusal
                slower = min(self._gap / SLOWER, 1 / SLOWEST)
                self._gap = slower or 1 / self._limit
            self._not_before = max(self._not_before, now + seconds)

    def _pause_or_start(self) -> float:
        """0 when the call has started, else seconds after which to look again."""
        with self._lock:
            now = self._clock.monotonic()
            while self._ended and now - self._ended[0] >= WINDOW:
                self._ended.popleft()
            earliest = max(self._not_before, self._last_start + self._gap)
            if self._under_way + len(self._ended) >= self._limit:
                freed = self._ended[0] + WINDOW if self._ended else now
                earliest = max(earliest, freed, now + TOO_SHORT)
            if earliest > now:
                return max(earliest - now, TOO_SHORT)
            self._under_way += 1
            self._last_start = now
            return 0
