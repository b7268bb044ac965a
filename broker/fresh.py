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
    from broker.login import Login, SessionRequirements
    from broker.ports.ui import Ui
    from broker.session import Session

AHEAD = timedelta(minutes=5)
"""Before `min_ttl` is reached: SDKs ask at nearly every call once 15 minutes are left."""
LOOK = 5.0
"""Seconds between two looks at the clock; who asks for what is no longer fresh ends the pause."""
LONGEST_PAUSE = timedelta(minutes=1)


class FreshSession:
    """Renews a session in the background while the `with` block runs.

    One that nobody has asked for is not renewed: a renewal may ring a person's phone.

    Args:
        login: Gets sessions.
        profile: Of this profile.
        requirements: How fresh; a `force` of its counted once.
        session: What there is now.
        ui: Is told, once, that a session could not be renewed.
        clock: The time.
    """

    def __init__(
        self,
        login: Login,
        profile: Profile,
        requirements: SessionRequirements,
        session: Session,
        *,
        ui: Ui,
        clock: Clock | None = None,
    ) -> None:
        self._login = login
        self._profile = profile
        self._requirements = replace(
            requirements, force=False, min_ttl=requirements.min_ttl + AHEAD
        )
        self._session = session
        self._ui = ui
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._failure: AwsLoginError | None = None
        self._again_at: datetime | None = self._clock.now()
        self._pause = timedelta(seconds=5)
        self._handed_out = False
        self._over = False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="fresh session", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *of_the_block: object) -> None:
        self._over = True
        self._wake.set()

    def current(self) -> Session:
        """The session, at once while it holds; else a new one.

        Raises:
            AwsLoginError: It is over, and there is no new one.
        """
        if not self._is_fresh():
            self._wake.set()
        if self._left() <= timedelta(seconds=1):
            self.renew()
            if self._left() <= timedelta(0) and self._failure:
                raise self._failure
        self._handed_out = True
        return self._session

    def renew(self) -> None:
        """Get a new session if it is time to; a failure is kept, and told once."""
        with self._lock:
            if self._is_fresh():
                return
            with contextlib.suppress(AwsLoginError):
                self._take(self._login.kept_session(self._profile, self._requirements.min_ttl))
            if not self._is_fresh() and self._may_try():
                self._try()

    def renew_if_used(self) -> None:
        """`renew`, where somebody has the session that there is."""
        if self._handed_out:
            self.renew()

    def _try(self) -> None:
        try:
            self._take(self._login.session(self._profile, self._requirements))
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

    def _may_try(self) -> bool:
        return self._again_at is not None and self._clock.now() >= self._again_at

    def _is_fresh(self) -> bool:
        return self._session.is_fresh(self._clock.now(), self._requirements.min_ttl)

    def _take(self, session: Session | None) -> None:
        if session:
            self._session, self._handed_out = session, False
            self._failure, self._pause = None, timedelta(seconds=5)
            self._again_at = self._clock.now()

    def _mend(self) -> str:
        return f"`awslogin login {self._profile.name}` in another terminal; it is taken over here"

    def _left(self) -> timedelta:
        until = self._session.expires_at
        return until - self._clock.now() if until else timedelta.max

    def _keep(self) -> None:
        while not self._over:
            self._wake.wait(LOOK)
            self._wake.clear()
            self.renew_if_used()
