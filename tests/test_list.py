"""`list`: filters, tags, and a terminal that is narrow; the picker with many profiles."""

from __future__ import annotations

import os
import subprocess
from fcntl import ioctl
from struct import pack
from termios import TIOCSWINSZ

import pytest

from tests.support import COMMAND, Home
from tests.terminal import Terminal

CONFIG = """\
version: 1
providers:
  keys: {type: static}
profiles:
  dev: {provider: keys, tags: {tier: dev}}
  a-profile-with-a-rather-long-name: {provider: keys, tags: {tier: prod, team: pay}}
  audit: {source: dev, role_arn: "arn:aws:iam::777788889999:role/Audit"}
"""


@pytest.fixture
def team(signed_up: Home) -> Home:
    signed_up.config(CONFIG)
    return signed_up


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ["dev", "a-profile-with-a-rather-long-name", "audit"]),
        ("--tag tier=prod", ["a-profile-with-a-rather-long-name"]),
        ("--tag tier=prod --tag team=x", []),
        ("7777", ["audit"]),
        ("AUDIT", ["audit"]),
        ("team=pay", ["a-profile-with-a-rather-long-name"]),
        ("nothing", []),
    ],
)
def test_list_shows_those_that_are_asked_for(team: Home, words: str, names: list[str]) -> None:
    done = team.run("list", *words.split(), "--output", "json").ok()
    assert [row["profile"] for row in done.json] == names
    shown = team.run("list", *words.split()).ok().out
    assert all(name in shown for name in names)
    if not names:
        assert "`awslogin list` shows all" in shown
    elif "dev" in names:
        assert "tier=prod team=pay" in shown
    assert team.run("list", "--tag", "tier").code == 2


@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_table_fits_the_terminal(team: Home, width: int) -> None:
    screen, stdout = os.openpty()
    ioctl(stdout, TIOCSWINSZ, pack("HHHH", 24, width, 0, 0))
    env = team.env() | {"NO_COLOR": "1"}
    with subprocess.Popen([COMMAND, "list"], env=env, cwd=team.work, stdout=stdout) as process:
        os.close(stdout)
        process.wait(60)
    lines = os.read(screen, 1 << 16).decode().splitlines()
    os.close(screen)
    assert max(map(len, lines)) <= width
    assert any("audit" in line for line in lines)


def test_the_picker_shows_a_few_of_many_and_says_when_nothing_is_like_it(signed_up: Home) -> None:
    names = "".join(f"  team-{number:03}: {{provider: keys}}\n" for number in range(300))
    signed_up.config(CONFIG.partition("  dev:")[0] + names)
    terminal = Terminal(signed_up, "whoami")
    terminal.wait_for("and 285 more")
    assert "team-020" not in terminal.asked
    terminal.answer("part of the name", "zebra")
    terminal.wait_for("nothing is like “zebra”")
    terminal.answer("part of the name", "team-123")
    terminal.answer("keys for team-123", "n")
    assert "team-123" in terminal.finish().err


def test_escape_leaves_the_picker(team: Home) -> None:
    terminal = Terminal(team, "whoami")
    terminal.answer("part of the name", "\x1b")
    assert terminal.finish().code == 130
