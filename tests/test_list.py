"""`list`: filters, tags, and a terminal that is narrow; the picker with many profiles."""

from __future__ import annotations

import json
import os
import re
import subprocess
from fcntl import ioctl
from struct import pack
from termios import TIOCSWINSZ

import pytest

from tests.sandbox import Sandbox
from tests.support import COMMAND, PATIENCE, Home
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


def test_list_keeps_an_account_together_and_shows_what_is_signed_in(
    signed_up: Home, sandbox: Sandbox
) -> None:
    role = "{{source: dev, role_arn: 'arn:aws:iam::{}:role/{}'}}"
    accounts = {"a": "111122223333", "b": "777788889999", "c": "111122223333"}
    roles = [f"  {name}: {role.format(account, name)}\n" for name, account in accounts.items()]
    signed_up.config(CONFIG.partition("  a-profile")[0] + "".join(roles))

    def shown() -> list[list[str]]:
        return [line.split() for line in signed_up.run("list").ok().out.splitlines()]

    head, *rows = shown()
    assert [row[0] for row in rows] == ["dev", "a", "c", "b"]
    assert head[-1] == "TAGS"
    as_json = signed_up.run("list", "--output", "json").ok().out
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    signed_up.run("dev").ok()
    head, dev, *others = shown()
    assert head[-2:] == ["SIGNED", "IN"]
    assert re.fullmatch(r"\d+h\d\dm", dev[-1])
    assert not any(re.fullmatch(r"\d+h\d\dm", row[-1]) for row in others)
    rows_now = signed_up.run("list", "--output", "json").ok().json
    assert [row["profile"] for row in rows_now] == ["dev", *accounts]
    assert {*rows_now[0]} - {"key_since", "key_age_days"} == {*json.loads(as_json)[0]}
    locked = {"AWSLOGIN_PASSPHRASE": None}
    terminal = Terminal(signed_up, "list", env=locked)
    assert "SIGNED IN" not in terminal.finish().ok().out
    assert terminal.asked == ""


@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_table_fits_the_terminal(team: Home, width: int) -> None:
    screen, stdout = os.openpty()
    ioctl(stdout, TIOCSWINSZ, pack("HHHH", 24, width, 0, 0))
    env = team.env() | {"NO_COLOR": "1"}
    with subprocess.Popen([COMMAND, "list"], env=env, cwd=team.work, stdout=stdout) as process:
        os.close(stdout)
        process.wait(PATIENCE)
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
