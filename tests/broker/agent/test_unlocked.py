"""Which keys the agent holds, for whom, and how often they may be guessed."""

from __future__ import annotations

import pytest

from broker.agent.unlocked import GUESS_SECONDS, LENT, MAX_GUESSES, Guesses, UnlockedKeys

NAME = b"sealing-key/of ann"


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.keys = UnlockedKeys(Guesses(lambda: self.now))
        self.keys.keep(NAME, b"secret")


@pytest.fixture
def world() -> World:
    return World()


def test_a_key_is_had_by_its_name_until_it_is_wiped(world: World) -> None:
    assert world.keys.recall(NAME) == b"secret"
    assert world.keys.recall(b"sealing-key/of ben") == b""
    world.keys.wipe()
    assert world.keys.recall(NAME) == b""


@pytest.mark.parametrize("name", [b"vault/00ff", b"sealing-key", LENT + b"x", b""])
def test_nothing_but_sealing_keys_is_held(world: World, name: bytes) -> None:
    world.keys.keep(name, b"another")
    assert world.keys.recall(name) == b""


def test_guesses_are_bounded(world: World) -> None:
    for number in range(MAX_GUESSES):
        assert world.keys.recall(b"sealing-key/%d" % number) == b""
    assert world.keys.recall(NAME) == b""
    world.now += GUESS_SECONDS + 1
    assert world.keys.recall(NAME) == b"secret"


def test_where_nothing_is_held_nobody_guesses() -> None:
    world = World()
    world.keys.wipe()
    for _ in range(2 * MAX_GUESSES):
        world.keys.recall(b"sealing-key/of ben")
    world.keys.keep(NAME, b"secret")
    assert world.keys.recall(NAME) == b"secret"


def test_a_child_has_the_key_by_a_token_until_it_is_wiped(world: World) -> None:
    token = world.keys.lend(NAME)
    assert world.keys.recall(LENT + token) == b"secret"
    assert world.keys.recall(LENT + token[:-1]) == b""
    assert world.keys.lend(b"sealing-key/of ben") == b""
    world.keys.wipe()
    world.keys.keep(NAME, b"secret")
    assert world.keys.recall(LENT + token) == b""
