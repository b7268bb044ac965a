"""The picker of `awslogin` without a profile: keys on a terminal, and how much it looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from broker.events import EventLog
from broker.ports.candidates import Candidate, Narrowing
from broker.ports.picker import Picker
from tests.support import Home
from tests.terminal import Terminal

CONFIG = """\
version: 1
providers:
  keys: {type: static}
profiles:
  dev: {provider: keys, tags: {tier: test}}
  prod: {source: dev, role_arn: "arn:aws:iam::111122223333:role/Admin", tags: {team: pay}}
  prod-read: {source: dev, role_arn: "arn:aws:iam::777788889999:role/ReadOnly"}
"""
DOWN = "\x1b[B"
CURSES = {"TERM": "xterm-256color"}


@pytest.fixture
def team(signed_up: Home) -> Home:
    signed_up.config(CONFIG)
    return signed_up


def picked(home: Home, keys: str) -> str:
    """Which profile these keys pick for `explain`."""
    terminal = Terminal(home, "explain", "--output", "json", env=CURSES)
    terminal.wait_for("3 of 3")
    terminal.type(keys)
    name = terminal.finish().ok().json["profile"]
    assert f"Which profile? {name}" in terminal.asked
    return str(name)


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ("\r", "dev"),
        (DOWN + "\r", "prod"),
        ("prod\r", "prod"),
        ("PROD" + DOWN + "\r", "prod-read"),
        ("7777\r", "prod-read"),
        ("pay\r", "prod"),
        ("rdonly\r", "prod-read"),
        ("prod adm\r", "prod"),
        ("zebra\r\x7f\x7f\x7f\x7f\x7fdev\n", "dev"),
        ("nothing\x15\x1b[200~prod-r\x1b[201~\r", "prod-read"),
    ],
)
def test_keys_pick(team: Home, keys: str, name: str) -> None:
    assert picked(team, keys) == name


@pytest.mark.parametrize("key", ["\x1b", "\x03", "\x04"])
def test_it_is_left_by_one_key(team: Home, key: str) -> None:
    terminal = Terminal(team, "explain", env=CURSES)
    terminal.wait_for("3 of 3")
    terminal.type(key)
    done = terminal.finish()
    assert (done.code, done.out) == (130, "")


def test_what_was_typed_before_it_opened_counts(team: Home) -> None:
    terminal = Terminal(team, "explain", "--output", "json", env=CURSES)
    terminal.type("prod-r\n")
    assert terminal.finish().ok().json["profile"] == "prod-read"


def test_a_terminal_that_is_closed_ends_it(team: Home) -> None:
    terminal = Terminal(team, "explain", env=CURSES)
    terminal.wait_for("3 of 3")
    assert terminal.hang_up().code == 130


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_gets_a_numbered_list(team: Home, term: str) -> None:
    terminal = Terminal(team, "explain", "--output", "json", env={"TERM": term})
    terminal.wait_for("  2  prod  111122223333 Admin team=pay")
    terminal.answer("Number, or part of the name", "2")
    assert terminal.finish().ok().json["profile"] == "prod"
    assert "\x1b" not in terminal.asked


def test_most_used_come_first(team: Home) -> None:
    log = EventLog(team.env())
    for profile, times in {"prod-read": 3, "prod": 1, "gone": 9}.items():
        for _ in range(times):
            log.note("exec", profile)
    for _ in range(5):
        log.note("sign-in", "prod", outcome="refused")
    assert log.uses() == Counter({"gone": 9, "prod-read": 3, "prod": 1})
    assert picked(team, "\r") == "prod-read"
    assert picked(team, DOWN + "\r") == "prod"
    assert picked(team, "d\r") == "dev"  # what is nearest to the text goes before


@pytest.mark.parametrize("width", [20, 40, 200])
@pytest.mark.parametrize("typed", ["", "name", "zebra", "y" * 300])
def test_no_line_is_wider_than_the_terminal(width: int, typed: str) -> None:
    tags = {"note": "a\x1b[2J\nb" * 30}
    candidates = [Candidate(f"name-{n}" * 9, "111122223333", "Role", tags) for n in range(30)]
    picker = Picker("Which profile?", candidates)
    picker.type(typed)
    lines = picker.lines(width, height=24)
    assert max(map(len, lines)) <= width
    assert len(lines) <= 17
    assert lines[0].endswith(typed[-(width - 1) :])
    assert not any(letter in line for line in lines for letter in "\x1b\n")


def test_the_mark_stays_in_sight_and_on_the_list() -> None:
    picker = Picker("Which profile?", [Candidate(f"p{n:02}") for n in range(40)])
    for lines, name in [(-1, "p00"), (5, "p05"), (30, "p35"), (99, "p39"), (-1, "p38")]:
        picker.move(lines)
        assert picker.marked == Candidate(name)
        assert f"❯ {name}" in picker.lines(80, height=10)
    picker.type("zebra")
    picker.move(1)
    assert picker.marked is None


def test_of_10_000_a_letter_looks_once_at_those_that_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: Counter[str] = Counter()
    look = Candidate.rank

    def counted(self: Candidate, words: Sequence[str]) -> int | None:
        looked_at[self.name] += 1
        return look(self, words)

    monkeypatch.setattr(Candidate, "rank", counted)
    picker = Picker("Which profile?", [Candidate(f"team-{n:05}") for n in range(10_000)])
    picker.lines(80, height=24)
    picker.move(1)
    assert not looked_at  # nothing is typed yet
    picker.type("team-0")
    picker.type("1234")  # in one go: nothing was shown between them
    assert picker.marked == Candidate("team-01234")
    picker.lines(80, height=24)
    assert looked_at.total() == 10_000
    picker.rub_out(all_of_it=True)
    for letter in "team-01234":
        picker.type(letter)
        picker.lines(80, height=24)
    assert looked_at["team-99999"] == 0
    assert looked_at["team-98765"] <= 1 + len("team-0")
    picker.rub_out()
    before = looked_at.total()
    assert picker.lines(80, height=24)[1] == "❯ team-01230"
    assert looked_at.total() == before  # a letter rubbed out looks at none


def test_a_word_typed_letter_by_letter_finds_what_it_finds_at_once() -> None:
    names = ["app-prod", "p-xpr", "prod", "spr", "other"]
    narrowing = Narrowing([Candidate(name) for name in names])
    for text in ("p", "pr"):
        at_once = Narrowing([Candidate(name) for name in names]).like(text)
        assert list(narrowing.like(text)) == list(at_once)
    assert [one.name for one in narrowing.like("pr")] == ["prod", "app-prod", "p-xpr", "spr"]
