"""The portal: within its rate, patient with its refusals, all pages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from broker.errors import NetworkError, UnexpectedReply
from broker.provider import Account, Request
from broker.testing import FakeClock
from providers.identity_center.budget import Budget
from tests.providers.identity_center.conftest import STAGE, Make
from tests.sandbox import DEV, PROD, Sandbox


def role(number: int) -> Request:
    return Request(
        profile=f"p{number}", region="eu-west-1", account=f"{number:012}", role="Developer"
    )


def assign(sandbox: Sandbox, count: int) -> list[Request]:
    roles = [role(number) for number in range(count)]
    sandbox.world.people["ann"].assigned |= {r.account or "": ["Developer"] for r in roles}
    return roles


def test_all_pages(make: Make, sandbox: Sandbox) -> None:
    sandbox.world.page_size = 1
    assert make().discover() == [
        Account(DEV, "payments-dev", ("Admin", "Developer")),
        Account(PROD, "payments-prod", ("ReadOnly",)),
    ]


def test_a_pause_that_is_asked_for_is_made(make: Make, sandbox: Sandbox) -> None:
    sandbox.fault("portal", status=429, headers={"Retry-After": "7"}, times=2)
    clock = FakeClock()
    provider = make(clock=clock)
    provider.login(STAGE)
    assert [round(pause) for pause in clock.slept if pause > 2] == [7, 7]
    assert len(sandbox.calls("portal")) == 3


def test_throttling_without_end_is_a_network_error(make: Make, sandbox: Sandbox) -> None:
    sandbox.fault("portal", status=429)
    clock = FakeClock()
    with pytest.raises(NetworkError, match="throttling"):
        make(clock=clock).login(STAGE)
    assert len(sandbox.calls("portal")) == 10
    assert sum(clock.slept) < 60


def test_a_pause_that_nobody_waits_for_is_refused(make: Make, sandbox: Sandbox) -> None:
    sandbox.fault("portal", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(NetworkError, match="throttling"):
        make().login(STAGE)
    assert len(sandbox.calls("portal")) == 1


def test_a_failing_portal_is_tried_again_a_few_times(make: Make, sandbox: Sandbox) -> None:
    sandbox.fault("portal", status=503, times=2)
    make().login(STAGE)
    sandbox.fault("portal", status=503)
    with pytest.raises(NetworkError):
        make().login(STAGE)
    assert len(sandbox.calls("portal")) == 3 + 3


def test_a_reply_without_what_it_should_hold(make: Make, sandbox: Sandbox) -> None:
    sandbox.fault("portal", status=200, body="{}", action="/federation/credentials")
    with pytest.raises(UnexpectedReply, match="without credentials"):
        make().login(STAGE)
    sandbox.fault("portal", status=200, body="{}", action="/assignment/accounts")
    with pytest.raises(UnexpectedReply, match="accountList"):
        make().discover()
    sandbox.heal("portal")
    for action, rows, missing in (
        ("/assignment/accounts", '{"accountList": [{"accountName": "x"}]}', "accountId"),
        ("/assignment/accounts", '{"accountList": [{"accountId": 5}]}', "accountId"),
        ("/assignment/roles", '{"roleList": [{}]}', "roleName"),
        ("/assignment/accounts", '{"accountList": ["x"]}', "not understood"),
        ("/assignment/accounts", "[]", "not understood"),
    ):
        sandbox.fault("portal", status=200, body=rows, action=action)
        with pytest.raises(UnexpectedReply, match=missing):
            make().discover()
        sandbox.heal("portal")


def test_pages_that_lead_back_end(make: Make, sandbox: Sandbox) -> None:
    for after in ("one", "two", "one"):
        page = f'{{"accountList": [], "nextToken": "{after}"}}'
        sandbox.fault("portal", status=200, body=page, action="/assignment/accounts", times=1)
    assert make().discover() == []
    assert len(sandbox.calls("portal", "/assignment/accounts")) == 3


class Calls:
    """Many threads that call within a budget, and how the other side judges them."""

    def __init__(self, budget: Budget, refuses: Callable[[], bool]) -> None:
        self.budget = budget
        self.refuses = refuses
        self.refused = 0
        self._lock = threading.Lock()

    def run(self, count: int, threads: int = 20) -> float:
        """Seconds that it takes."""
        left = list(range(count))

        def work() -> None:
            while True:
                with self._lock:
                    if not left:
                        return
                    left.pop()
                while self._is_refused():
                    self.budget.hold(0.1)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        start = time.monotonic()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.monotonic() - start

    def _is_refused(self) -> bool:
        with self.budget.turn(), self._lock:
            refused = self.refuses()
            self.refused += refused
        return refused


class FastClock(FakeClock):
    """The real clock, thirty times as fast."""

    def monotonic(self) -> float:
        return time.monotonic() * 30

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 30)


def test_no_second_ever_holds_more_than_the_rate() -> None:
    clock = FastClock()
    arrived: list[float] = []

    def sliding() -> bool:
        now = clock.monotonic()
        arrived.append(now)
        return sum(now - at < 1 for at in arrived) > 20

    calls = Calls(Budget(20, clock), sliding)
    calls.run(100)
    assert calls.refused == 0


def test_a_side_that_takes_no_burst_gets_the_calls_one_by_one() -> None:
    clock = FastClock()
    last = [float("-inf")]

    def strict() -> bool:
        now = clock.monotonic()
        if now - last[0] < 0.03:
            return True
        last[0] = now
        return False

    calls = Calls(Budget(20, clock), strict)
    calls.run(60)
    assert calls.refused < 40


def test_the_budget_begins_at_once_and_goes_on_a_second_later() -> None:
    clock = FakeClock()
    budget = Budget(20, clock)
    start = clock.monotonic()
    for _ in range(200):
        with budget.turn():
            clock.advance(0.001)
    assert 9.0 < clock.monotonic() - start < 9.3
