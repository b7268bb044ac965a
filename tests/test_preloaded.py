"""A fork of the preloaded process is what a start is; and every command starts by itself."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from broker.cli.main import COMMANDS
from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import PATIENCE, Home
from tests.terminal import Terminal

SHOW = """
import json, os, signal, sys
print(json.dumps({
    "env": {name: value for name, value in os.environ.items() if "AWS" not in name},
    "folder": os.getcwd(),
    "input": sys.stdin.read(),
    "terminal": os.path.exists("/proc/self/fd/0") and sorted(os.listdir("/proc/self/fd")),
    "leads": os.getsid(0) == os.getpgrp() == os.getpid(),
    "ignored": [s for s in (1, 2, 13, 15, 17) if signal.getsignal(s) == signal.SIG_IGN],
    "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
}))
sys.exit(5)
"""


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(config("dev"))
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


def test_what_a_command_inherits(team: Home) -> None:
    words = ("exec", "dev", "--", sys.executable, "-I", "-c", SHOW)
    forked, fresh = (team.run(*words, stdin="typed", fresh=fresh) for fresh in (False, True))
    assert (forked.code, forked.err) == (fresh.code, fresh.err) == (5, "")
    shown, like = json.loads(forked.out), json.loads(fresh.out)
    set_by_starts = {"LC_CTYPE", "PWD"}  # by an interpreter that finds no locale, by a shell
    for name in set_by_starts:
        like["env"].pop(name, None)
    assert shown == like


def test_a_signal_ends_it(team: Home) -> None:
    with team.start("exec", "dev", "--", "sleep", "60") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == -signal.SIGTERM


def test_a_person_is_at_the_terminal(team: Home) -> None:
    terminal = Terminal(team, "exec", "dev", "--", "sh", "-c", "read word < /dev/tty; echo $word")
    terminal.type("hello\n")
    assert terminal.finish().ok().out == "hello\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_starts_by_itself(home: Home, command: str) -> None:
    assert command in home.run(command, "--help", fresh=True).ok().out
