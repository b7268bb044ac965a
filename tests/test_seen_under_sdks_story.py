"""Under `credential_process` an SDK keeps our stderr: what a person must see is on the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.configs import MFA, config, identity_center
from tests.sandbox import Sandbox
from tests.support import Home
from tests.terminal import Terminal


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    corp = identity_center(sandbox.start_url, "region: eu-west-1, flow: device")
    signed_up.config(config("dev", "stage", providers={"corp": corp}))
    return signed_up


def test_the_address_and_the_code_are_on_the_terminal(team: Home, sandbox: Sandbox) -> None:
    terminal = Terminal(team, "creds", "stage")
    found = terminal.wait_for(r"shows the code (\S+)")
    assert found[0] in terminal.asked
    assert "http" in terminal.asked
    sandbox.approve(found[1])
    assert terminal.finish().json["AccessKeyId"]


def test_without_a_terminal_it_is_exit_4_at_once_with_the_command(team: Home) -> None:
    error = team.run("creds", "stage").error
    assert error["exit"] == 4
    assert "`awslogin login stage`" in error["hint"]


def test_what_mfa_process_says_is_on_the_terminal(
    team: Home, sandbox: Sandbox, tmp_path: Path
) -> None:
    script = tmp_path / "touch"
    script.write_text("#!/bin/sh\necho touch your key >&2\nexit 1\n")
    script.chmod(0o755)
    team.config(config(ann=f"provider: keys, {MFA}, mfa_process: {script}"))
    team.run("add", "ann", "--stdin", stdin=sandbox.ann.json).ok()
    terminal = Terminal(team, "creds", "ann")
    done = terminal.finish()
    assert done.code == 2
    assert "touch your key" in terminal.asked
