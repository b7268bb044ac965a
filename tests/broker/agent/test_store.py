"""What the agent holds, and for whom: answers, refresh, expiry, and what it will not keep."""

from __future__ import annotations

import pytest

from broker.agent.messages import Declare, Put
from broker.agent.store import (
    Answer,
    NeedVariables,
    SessionStore,
    SignIn,
    Take,
    Values,
    WaitFor,
    is_plain,
)
from broker.agent.unlocked import GUESS_SECONDS, MAX_GUESSES

PLACE = (b"given", b"/team/config.yaml", b"dev")
VALUES = {b"AWS_REGION": b"+eu-west-1", b"AWSLOGIN_PASSPHRASE": b"+secret", b"CI": b"-"}
FILE = b"/sealed/session"


class World:
    """The time, and what stands on disk."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.files = {FILE: b"1"}
        self.store = SessionStore(lambda: self.now, lambda path: self.files.get(path, b"-"))

    def declare(
        self,
        pid: int = 1,
        *,
        session_id: bytes = b"id",
        lasting: bool = True,
        files: dict[bytes, bytes] | None = None,
        vary: Values | None = None,
    ) -> None:
        vary = VALUES if vary is None else vary
        self.store.declare(pid, Declare(*PLACE, session_id, lasting, files or {}, vary))

    def put(self, pid: int = 1, *, fresh_for: float = 60, refresh_in: float = -1) -> None:
        until = self.now + fresh_for
        texts = {b"process": b"the session", b"container": b"for SDKs"}
        times = (until, self.now + refresh_in, until + 60)
        self.store.put(pid, Put(b"id", b"sign-in", b"dev", FILE, b"1", *times, texts))

    def ask(self, pid: int = 2, values: Values = VALUES) -> Answer:
        return self.store.answer(pid, PLACE, b"process", values)

    def due(self) -> list[bytes]:
        return [variant.session_id for _, variant in self.store.due()]


@pytest.fixture
def world() -> World:
    """It holds a session that is fresh for a minute and is to be refreshed now."""
    world = World()
    world.declare()
    world.put()
    return world


def test_who_asks_in_the_same_way_takes_the_session(world: World) -> None:
    assert world.ask(values={}) == NeedVariables(frozenset(VALUES))
    assert world.ask() == Take(b"the session")
    assert isinstance(world.ask(values=VALUES | {b"CI": b"+true"}), SignIn)


def test_a_format_that_is_not_held_is_signed_in_for(world: World) -> None:
    assert isinstance(world.store.answer(2, PLACE, b"bogus", VALUES), SignIn)


def test_a_used_session_is_due_once(world: World) -> None:
    assert world.due() == []
    world.ask()
    assert world.due() == [b"id"]
    assert world.due() == []
    world.now += 61  # it is fresh no more: one more try
    assert world.due() == [b"id"]
    assert world.due() == []


def test_a_session_is_not_due_before_its_time(world: World) -> None:
    world.put(refresh_in=30)
    world.ask()
    assert world.due() == []
    world.now += 31
    assert world.due() == [b"id"]


def test_a_session_is_not_due_while_somebody_signs_in(world: World) -> None:
    world.ask()
    world.now += 61
    assert isinstance(world.ask(), SignIn)
    assert world.due() == []


def test_what_ended_is_handed_out_no_more(world: World) -> None:
    world.now += 61
    assert isinstance(world.ask(), SignIn)
    held = world.store.sessions
    assert held.text_until_it_ends(b"id", b"container") == b"for SDKs"
    world.now += 60
    assert held.text_until_it_ends(b"id", b"container") is None
    world.now -= 60
    held.drop_what_ended()
    assert held.text_until_it_ends(b"id", b"container") == b"for SDKs"
    world.now += 60
    held.drop_what_ended()
    world.now -= 60
    assert held.text_until_it_ends(b"id", b"container") is None


def test_who_removes_the_file_at_rest_has_forgotten(world: World) -> None:
    assert world.store.sessions.count_fresh() == 1
    world.files[FILE] = b"2"
    assert world.store.sessions.count_fresh() == 0
    assert isinstance(world.ask(), SignIn)


@pytest.mark.parametrize(
    ("sign_in_id", "profile", "gone"),
    [
        (b"sign-in", b"dev", True), (b"sign-in", b"", True), (b"", b"", True),
        (b"sign-in", b"prod", False), (b"other", b"", False),
    ],
)  # fmt: skip
def test_forget_takes_what_it_names(
    world: World, sign_in_id: bytes, profile: bytes, gone: bool
) -> None:
    world.store.sessions.forget(sign_in_id, profile)
    assert isinstance(world.ask(), SignIn if gone else Take)


def test_a_variant_holds_as_long_as_its_files_are_as_they_were(world: World) -> None:
    world.declare(files={b"/trusted.json": b"-"}, vary={b"CI": b"-"})
    assert world.ask(values={b"CI": b"-"}) == NeedVariables(frozenset(VALUES) - {b"CI"})
    world.declare(files={b"/trusted.json": b"-"})
    assert world.ask() == Take(b"the session")
    world.files[b"/trusted.json"] = b"{}"
    assert isinstance(world.ask(), SignIn)


def test_secrets_are_not_kept_as_values(world: World) -> None:
    world.ask()
    ((_, variant),) = world.store.due()
    assert variant.environ == {b"AWS_REGION": b"+eu-west-1", b"CI": b"-"}
    assert is_plain(b"AWS_REGION")
    for name in (b"AWSLOGIN_PASSWORD", b"AWS_SESSION_TOKEN", b"AWS_ACCESS_KEY_ID", b"X_SECRET"):
        assert not is_plain(name)


def test_of_many_one_signs_in_and_its_outcome_is_everybodys() -> None:
    world = World()
    first = world.ask(1)
    assert isinstance(first, SignIn)
    assert world.ask(2) == WaitFor(first.login)
    world.declare(1, lasting=False)
    assert world.ask(3) == WaitFor(first.login)
    other = world.ask(4, VALUES | {b"CI": b"+true"})
    assert isinstance(other, SignIn)
    world.store.end(other.login)
    world.put(1)
    assert first.login.over
    assert first.login.texts[b"process"] == b"the session"
    assert isinstance(world.ask(5), SignIn)  # what does not last served those who waited alone


def test_a_failure_is_everybodys_and_the_next_one_tries_anew() -> None:
    world = World()
    first = world.ask(1)
    assert isinstance(first, SignIn)
    world.store.fail(1, b"3", b"refused")
    assert (first.login.over, first.login.failure) == (True, (b"3", b"refused"))
    assert not world.store.signs_in()
    assert isinstance(world.ask(2), SignIn)


def test_a_sign_in_ends_though_the_config_was_edited_meanwhile(world: World) -> None:
    world.now += 61
    first = world.ask(7)
    assert isinstance(first, SignIn)
    world.declare(7, session_id=b"other", files={b"/config.yaml": b"-"}, lasting=False)
    world.files[b"/config.yaml"] = b"edited"
    assert isinstance(world.ask(8), SignIn)
    world.store.end(first.login)
    assert first.login.over


def test_guesses_of_a_secret_variable_are_bounded(world: World) -> None:
    def guess(text: bytes) -> Answer:
        found = world.ask(9, VALUES | {b"AWSLOGIN_PASSPHRASE": b"+" + text})
        if isinstance(found, SignIn):
            world.store.end(found.login)
        return found

    for number in range(MAX_GUESSES):
        assert isinstance(guess(b"%d" % number), SignIn)
    assert isinstance(guess(b"secret"), SignIn)  # right, and too late
    world.now += GUESS_SECONDS + 1
    world.put()
    assert guess(b"secret") == Take(b"the session")


def test_who_gives_no_secret_guesses_nothing(world: World) -> None:
    without = VALUES | {b"AWSLOGIN_PASSPHRASE": b"-"}
    for _ in range(2 * MAX_GUESSES):
        found = world.ask(9, without)
        assert isinstance(found, SignIn)
        world.store.end(found.login)
    assert world.ask() == Take(b"the session")


def test_who_differs_in_more_than_a_secret_guesses_nothing(world: World) -> None:
    other = VALUES | {b"AWSLOGIN_PASSPHRASE": b"+other", b"CI": b"+true"}
    for _ in range(2 * MAX_GUESSES):
        found = world.ask(9, other)
        assert isinstance(found, SignIn)
        world.store.end(found.login)
    assert world.ask() == Take(b"the session")
