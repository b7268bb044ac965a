"""A session that is kept fresh: when it is renewed, and what happens when it cannot be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from broker.config import Profile
from broker.errors import AwsLoginError, InteractionRequired, LoginRefused, NetworkError
from broker.fresh import FreshSession
from broker.login import Login, SessionRequirements
from broker.secret import Secret
from broker.session import Session
from broker.testing import FakeClock, ScriptedUi

HOUR = timedelta(hours=1)


class Sessions:
    """Plays the login: a new session at each call, or a failure."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.failure: AwsLoginError | None = None
        self.kept: Session | None = None
        self.asked = 0

    def session(self, _profile: object, _requirements: object) -> Session:
        self.asked += 1
        if self.failure:
            raise self.failure
        return self.new()

    def kept_session(self, _profile: object, min_ttl: timedelta) -> Session | None:
        kept = self.kept
        return kept if kept and kept.is_fresh(self.clock.now(), min_ttl) else None

    def new(self) -> Session:
        now = self.clock.now()
        return Session(
            profile="dev", provider="keys", type="static", account_id=None, arn=None,
            partition="aws", region="eu-west-1", access_key_id=f"ASIA{now:%H%M}",
            secret_access_key=Secret("secret"), session_token=Secret("token!"),
            issued_at=now, expires_at=now + HOUR,
        )  # fmt: skip


class Named:
    name = "dev"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sessions(clock: FakeClock) -> Sessions:
    return Sessions(clock)


@pytest.fixture
def ui() -> ScriptedUi:
    return ScriptedUi()


@pytest.fixture
def fresh(sessions: Sessions, clock: FakeClock, ui: ScriptedUi) -> FreshSession:
    login, profile = cast(Login, sessions), cast(Profile, cast(Any, Named()))
    return FreshSession(login, profile, SessionRequirements(), sessions.new(), ui=ui, clock=clock)


def test_it_is_renewed_before_sdks_ask_at_every_call(
    fresh: FreshSession, sessions: Sessions, clock: FakeClock
) -> None:
    first = fresh.current()
    clock.sleep(39 * 60)
    fresh.renew_if_used()
    assert fresh.current() is first
    clock.sleep(2 * 60)
    fresh.renew_if_used()
    left = (fresh.current().expires_at or clock.now()) - clock.now()
    assert left == HOUR
    assert sessions.asked == 1


def test_one_that_is_over_is_never_given(
    fresh: FreshSession, sessions: Sessions, clock: FakeClock, ui: ScriptedUi
) -> None:
    clock.sleep(3601)
    sessions.failure = NetworkError("no answer")
    with pytest.raises(NetworkError):
        fresh.current()
    sessions.failure = None
    clock.sleep(61)
    assert fresh.current().is_fresh(clock.now(), timedelta(minutes=15))


def test_while_it_holds_a_failed_renewal_harms_nobody(
    fresh: FreshSession, sessions: Sessions, clock: FakeClock, ui: ScriptedUi
) -> None:
    first = fresh.current()
    sessions.failure = NetworkError("no answer")
    clock.sleep(45 * 60)
    for _ in range(100):
        fresh.renew()
        assert fresh.current() is first
        clock.sleep(5)
    assert len(ui.warned) == 1
    assert 5 <= sessions.asked <= 12


@pytest.mark.parametrize("failure", [LoginRefused("wrong"), InteractionRequired("a code")])
def test_what_was_refused_is_not_sent_again_but_another_login_is_taken_over(
    fresh: FreshSession,
    sessions: Sessions,
    clock: FakeClock,
    ui: ScriptedUi,
    failure: AwsLoginError,
) -> None:
    sessions.failure = failure
    clock.sleep(3601)
    for _ in range(50):
        with pytest.raises(type(failure)):
            fresh.current()
        clock.sleep(60)
    assert sessions.asked == 1
    assert len(ui.warned) == 1
    assert "awslogin login dev" in ui.warned[0]
    sessions.kept = sessions.new()
    assert fresh.current() is sessions.kept
    clock.sleep(3500)
    sessions.failure = None
    fresh.renew()
    assert sessions.asked == 2


def test_what_nobody_asks_for_is_not_renewed(
    fresh: FreshSession, sessions: Sessions, clock: FakeClock
) -> None:
    for _ in range(10):
        clock.sleep(3000)
        fresh.renew_if_used()
    assert sessions.asked == 0
    fresh.current()
    for _ in range(10):
        clock.sleep(3000)
        fresh.renew_if_used()
    assert sessions.asked == 2
