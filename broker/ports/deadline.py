"""A time limit for calls that have none of their own. Owns the thread that is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimeIsUpError(Exception):
    """The call goes on in its thread; nobody waits for it any more."""


def within(
    seconds: float,
    call: Callable[[], T],
    *,
    late: Callable[[], None] | None = None,
    late_after: float = 0,
    meanwhile: Callable[[], None] | None = None,
) -> T:
    """Run a call that may hang (D-Bus, a reply that drips) and give up in time.

    Args:
        seconds: At most.
        call: What may hang.
        late: Called once when it takes longer than `late_after` seconds.
        late_after: See `late`.
        meanwhile: Work of the caller's own that is done while the call waits.

    Raises:
        TimeIsUpError: It did not end in time; else whatever the call raises.
    """
    outcome: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread
            outcome.append((None, error))

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    if meanwhile:
        meanwhile()
    first = min(late_after, seconds) if late else seconds
    worker.join(first)
    if late and worker.is_alive():
        late()
        worker.join(seconds - first)
    if not outcome:
        raise TimeIsUpError
    value, error = outcome[0]
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
