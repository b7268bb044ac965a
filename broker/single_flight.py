"""One sign-in at a time, and one for all who wait for it. Owns the locks and the shared failures.

A lock is the operating system's, so a dead holder frees it. A failed sign-in leaves its error in a
file; whoever was already waiting takes that error as the result instead of signing in anew. One who
can be asked does not take it from a holder whom nobody could ask.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from broker import errors
from broker.paths import private_dir, read_or_none, write_private
from broker.ports.clock import Clock
from broker.ports.steps import step
from broker.ports.ui import Ui
from broker.secret import masked

if TYPE_CHECKING:
    from filelock import FileLock

SAY_AFTER = 1.0
"""Seconds of waiting before the person is told what for."""
SHORTEST, LONGEST = 0.02, 0.25
"""Seconds between two looks at the lock: the longer one waits, the rarer."""
_SHARED = (
    errors.LoginRefused,
    errors.InteractionRequired,
    errors.NetworkError,
    errors.UnexpectedReply,
    errors.KeychainError,
)


class SingleFlight:
    """Locks by name in one private folder."""

    def __init__(self, folder: Path, clock: Clock, ui: Ui) -> None:
        self._folder = folder
        self._clock = clock
        self._ui = ui

    @contextmanager
    def lock_sharing_failure(self, name: str, *, what: str, timeout: float) -> Iterator[None]:
        """Hold the lock `name`.

        Args:
            name: The sign-in, hashed.
            what: What is waited for, as the person knows it.
            timeout: Seconds to wait at most.

        Raises:
            AwsLoginError: The failure of the sign-in that this one waited for.
            NetworkError: Still waiting after `timeout`.
        """
        if not self._can_lock():
            yield
            return
        failure = self._folder / f"{name}.failed"
        since = self._clock.now().timestamp()
        waited, lock = self._acquire(name, what, timeout)
        try:
            if waited:
                _raise_failure_after(since, failure, can_ask=self._ui.interactive)
            try:
                yield
            except _SHARED as error:
                _leave(failure, error, self._clock.now().timestamp())
                raise
        finally:
            lock.release()

    @contextmanager
    def lock(self, name: str, *, what: str, timeout: float) -> Iterator[None]:
        """Hold the lock `name` for something else than a sign-in: it shares nobody's failure.

        Raises:
            NetworkError: Still waiting after `timeout`.
        """
        if not self._can_lock():
            yield
            return
        _, lock = self._acquire(name, what, timeout)
        try:
            yield
        finally:
            lock.release()

    def _can_lock(self) -> bool:
        """Whether a lock can lie here: where nothing can be written, nothing is shared either."""
        try:
            private_dir(self._folder)
        except OSError:
            return False
        return os.access(self._folder, os.W_OK)

    def _acquire(self, name: str, what: str, timeout: float) -> tuple[bool, FileLock]:
        from filelock import FileLock

        lock = FileLock(self._folder / f"{name}.lock", mode=0o600)
        start = self._clock.monotonic()
        announced = waited = False
        while True:
            try:
                lock.acquire(blocking=False)
            except TimeoutError:
                waited = True
            else:
                step(f"{what}: no other awslogin signs in")
                return waited, lock
            so_far = self._clock.monotonic() - start
            if so_far > timeout:
                raise errors.NetworkError(
                    f"waited {timeout:.0f} s for another awslogin that signs in to {what}",
                    hint="finish that sign-in, or wait longer with --timeout",
                )
            if so_far > SAY_AFTER and not announced:
                self._ui.waiting(f"waiting for another awslogin that signs in to {what}")
                announced = True
            pause = min(max(so_far / 8, SHORTEST), LONGEST)
            self._clock.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret


def _leave(path: Path, error: errors.AwsLoginError, now: float) -> None:
    record = {
        "at": now,
        "pid": os.getpid(),
        "error": next(kind.__name__ for kind in _SHARED if isinstance(error, kind)),
        "message": masked(error.message),
        "hint": masked(error.hint),
    }
    write_private(path, json.dumps(record).encode())


def _raise_failure_after(since: float, path: Path, *, can_ask: bool) -> None:
    content = read_or_none(path)
    if content is None:
        return
    try:
        record = json.loads(content)
        kind = {shared.__name__: shared for shared in _SHARED}[record["error"]]
        at, message, hint = float(record["at"]), str(record["message"]), str(record["hint"])
    except (ValueError, KeyError, TypeError):
        return
    if at >= since and not (can_ask and kind is errors.InteractionRequired):
        raise kind(message, hint=hint)
