"""Fifty commands at once on a real Secret Service: few of them talk to it, and none fails."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.configs import config
from tests.crowd import Crowd
from tests.real.parts import secret_service
from tests.real.parts.process import program
from tests.sandbox import Sandbox
from tests.support import Home

CONFIG = config("dev")
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
        time.sleep(0.5)
        crowd.start(50, "creds", "dev")
        done = crowd.finish()
        team.run("dev", "--force").ok()  # the keys themselves: one more who talks to it
        time.sleep(0.5)
    finally:
        crowd.end()
        monitor.terminate()
        monitor.wait()
    assert {code for code, _ in done} == {0}
    assert len({out for _, out in done}) == 1
    callers = set(re.findall(r"^method call .*sender=(\S+)", log.read_text(), re.MULTILINE))
    assert 1 <= len(callers) <= FEW
