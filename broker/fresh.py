"""One session that is kept fresh for a program that asks again and again.

Owns when the next one is got and what happens when it cannot be; not how. Nobody is asked: a
session that needs a person is taken from the cache as soon as the person has logged in elsewhere.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from broker.errors import AwsLoginError, NetworkError
from broker.ports.clock import Clock

if TYPE_CHECKING:
    from broker.config import Profile
    from broker.login import Broker, Wish
    from broker.ports.ui import Ui
    from broker.session import Session

AHEAD = timedelta(minutes=5)
"""Before `min_ttl` is reached: SDKs ask at nearly every call once 15 minutes are left."""
LOOK = 10.0
"""Seconds between two looks at the clock, which a sleeping laptop does not stop."""
LONGEST_PAUSE = timedelta(minutes=1)


class FreshSession:
    """Renews a session in the background while the `with` block runs.

    Args:
        broker: Gets sessions.
        profile: Of this profile.
        wish: How fresh; a `force` of its counted once.
        session: What there is now.
        ui: Is told, once, that a session could not be renewed.
        clock: The time.
    """

    def __init__(
        self,
        broker: Broker,
        profile: Profile,
        wish: Wish,
        session: Session,
        *,
        ui: Ui,
        clock: Clock | None = None,
    ) -> None:
        self._broker = broker
        self._profile = profile
        self._wish = replace(wish, force=False, min_ttl=wish.min_ttl + AHEAD)
        self._session = session
        self._ui = ui
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._failure: AwsLoginError | None = None
        self._again_at: datetime | None = self._clock.now()
        self._pause = timedelta(seconds=5)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="fresh session", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *of_the_block: object) -> None:
        self._over.set()

    def current(self) -> Session:
        """The session, at once while it holds; else a new one.

        Raises:
            AwsLoginError: It is over, and there is no new one.
        """
        if self._left() <= timedelta(seconds=1):
            self.renew()
            if self._left() <= timedelta(0) and self._failure:
                raise self._failure
        return self._session

    def renew(self) -> None:
        """Get a new session if it is time to; a failure is kept, and told once."""
        with self._lock:
            now = self._clock.now()
            if self._session.is_fresh(now, self._wish.min_ttl):
                return
            with contextlib.suppress(AwsLoginError):
                self._take(self._broker.kept_session(self._profile, self._wish.min_ttl))
            if not self._session.is_fresh(now, self._wish.min_ttl) and self._may_try(now):
                self._try()

    def _try(self) -> None:
        try:
            self._take(self._broker.session(self._profile, self._wish))
        except AwsLoginError as error:
            if self._failure is None:
                self._ui.warn(
                    f"the session of {self._profile.name} cannot be renewed: {error.message}"
                    + ("" if isinstance(error, NetworkError) else f"\n  → {self._mend()}")
                )
            self._failure = error
            self._again_at = self._next_try(error)

    def _next_try(self, error: AwsLoginError) -> datetime | None:
        """What the network did may pass; a refused password is never sent again."""
        if not isinstance(error, NetworkError):
            return None
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return self._clock.now() + self._pause

    def _may_try(self, now: datetime) -> bool:
        return self._again_at is not None and now >= self._again_at

    def _take(self, session: Session | None) -> None:
        if session:
            self._session = session
            self._failure, self._pause = None, timedelta(seconds=5)
            self._again_at = self._clock.now()

    def _mend(self) -> str:
        return f"`awslogin login {self._profile.name}` in another terminal; it is taken over here"

    def _left(self) -> timedelta:
        until = self._session.expires_at
        return until - self._clock.now() if until else timedelta.max

    def _keep(self) -> None:
        while not self._over.wait(min(LOOK, self._due_in())):
            self.renew()

    def _due_in(self) -> float:
        """Seconds until the session is no longer fresh enough; after a failure, until a look."""
        session = self._session
        if self._failure or session.expires_at is None:
            return LOOK
        margin = min(self._wish.min_ttl, (session.expires_at - session.issued_at) / 2)
        return max(0.5, (session.expires_at - margin - self._clock.now()).total_seconds())
