"""The portal: within its rate, patient with its refusals, all pages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from broker.errors import NetworkError, UnexpectedReply
from broker.ports.clock import Clock
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


class SharedClock(Clock):
    """A time of many threads: it moves on when all of them sleep, to the first one's end."""

    def __init__(self, threads: int) -> None:
        self._time = 0.0
        self._awake = threads
        self._ends: list[float] = []
        self._moved = threading.Condition()

    def monotonic(self) -> float:
        return self._time

    def sleep(self, seconds: float) -> None:
        with self._moved:
            end = self._time + seconds
            self._ends.append(end)
            self.leave()
            self._moved.wait_for(lambda: self._time >= end)

    def leave(self) -> None:
        """One thread less is awake."""
        with self._moved:
            self._awake -= 1
            if not self._awake and self._ends:
                self._time = min(self._ends)
                self._awake = self._ends.count(self._time)
                self._ends = [end for end in self._ends if end > self._time]
                self._moved.notify_all()


def refused(count: int, refuses: Callable[[float], bool], threads: int = 20) -> int:
    """How many of so many calls within a budget of 20 a second the other side refuses."""
    clock = SharedClock(threads)
    budget = Budget(20, clock)
    left, refusals, lock = list(range(count)), [], threading.Lock()

    def is_refused() -> bool:
        with budget.turn(), lock:
            return refuses(clock.monotonic())

    def work() -> None:
        with suppress(IndexError):
            while True:
                left.pop()
                while is_refused():
                    refusals.append(1)
                    budget.hold(0.1)
        clock.leave()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(refusals)


def test_no_second_ever_holds_more_than_the_rate() -> None:
    arrived: list[float] = []

    def sliding(now: float) -> bool:
        arrived.append(now)
        return sum(now - at < 1 for at in arrived) > 20

    assert refused(100, sliding) == 0
    assert 4 <= arrived[-1] - arrived[0] < 4.5


def test_a_side_that_takes_no_burst_gets_the_calls_one_by_one() -> None:
    last = [float("-inf")]

    def strict(now: float) -> bool:
        if now - last[0] < 0.03:
            return True
        last[0] = now
        return False

    assert refused(60, strict) < 40


def test_the_budget_begins_at_once_and_goes_on_a_second_later() -> None:
    clock = FakeClock()
    budget = Budget(20, clock)
    start = clock.monotonic()
    for _ in range(200):
        with budget.turn():
            clock.advance(0.001)
    assert 9.0 < clock.monotonic() - start < 9.3
