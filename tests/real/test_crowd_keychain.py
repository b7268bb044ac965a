"""Fifty commands at once on a real Secret Service: few of them talk to it, and none fails."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.configs import config
from tests.crowd import Crowd, until
from tests.real.parts import secret_service
from tests.real.parts.process import program
from tests.sandbox import Sandbox
from tests.support import Home

CONFIG = config("dev")
PING = [
    program("dbus-send"), "--session", "--print-reply", "--dest=org.freedesktop.secrets", "/",
    "org.freedesktop.DBus.Peer.Ping",
]  # fmt: skip
"""A call after all others."""
FEW = 2
"""The one that unlocks for the other 49, and the one that wants a new session."""


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox, tmp_path: Path) -> Iterator[Home]:
    with secret_service.unlocked(tmp_path / "bus") as environ:
        signed_up.without_vault().environ |= environ
        signed_up.config(CONFIG)
        signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
        signed_up.run("dev").ok()
        del signed_up.environ["AWSLOGIN_AGENT"]
        yield signed_up
        signed_up.run("agent", "stop")


def test_fifty_at_once_do_not_each_talk_to_it(team: Home, tmp_path: Path) -> None:
    log = tmp_path / "bus.txt"
    crowd = Crowd(team, tmp_path / "said")
    with log.open("w") as file:
        monitor = subprocess.Popen(
            [program("dbus-monitor"), "--session", "destination='org.freedesktop.secrets'"],
            env=team.env(), stdout=file,
        )  # fmt: skip
    try:
        until(log.read_text)  # it has told of its own name, so it listens
        crowd.start(50, "creds", "dev")
        done = crowd.finish()
        team.run("dev", "--force").ok()  # the keys themselves: one more who talks to it
        subprocess.run(PING, env=team.env(), stdout=subprocess.DEVNULL, check=True)
        until(lambda: "member=Ping" in log.read_text())
    finally:
        crowd.end()
        monitor.terminate()
        monitor.wait()
    assert {code for code, _ in done} == {0}
    assert len({out for _, out in done}) == 1
    calls = re.findall(r"^method call .*sender=(\S+) .*member=(\w+)", log.read_text(), re.MULTILINE)
    callers = {sender for sender, member in calls if member != "Ping"}
    assert 1 <= len(callers) <= FEW
