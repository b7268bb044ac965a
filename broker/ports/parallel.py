"""Many calls at once. Owns the threads: Ctrl-C and a failure end the wait for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

A = TypeVar("A")
T = TypeVar("T")


def in_parallel(call: Callable[[A], T], items: Sequence[A], *, at_once: int) -> list[T]:
    """The results of `call` for each item, in the items' order.

    A failure, and Ctrl-C, is raised at once: no other call begins, and those under way are
    abandoned, as their threads do not hold the process.
    """
    results: list[Any] = [None] * len(items)
    failures: list[BaseException] = []
    places = iter(range(len(items)))
    lock = threading.Lock()
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            with lock:
                place = next(places, None)
            if place is None:
                return
            try:
                results[place] = call(items[place])
            except BaseException as error:  # noqa: BLE001 - raised where the results are awaited
                failures.append(error)
                over.set()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(items)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive() and not over.is_set():
                thread.join(0.1)
    finally:
        over.set()
    if failures:
        raise failures[0]
    return results
