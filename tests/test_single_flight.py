"""Many processes at once: one sign-in, one prompt, one failure; the holder may die."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.configs import config
from tests.crowd import WAITING, Crowd, held, until
from tests.patient import OF_REPLIES
from tests.sandbox import Sandbox
from tests.support import Home
from tests.terminal import Terminal

MANY = 200
WITHOUT_AGENT = 10
"""Each of these loads the whole program."""


@pytest.fixture
def home(signed_up: Home, sandbox: Sandbox) -> Iterator[Home]:
    """Bob has keys; ann has a password; an agent may be started."""
    signed_up.config(config("dev", "prod", sandbox=sandbox))
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    signed_up.environ["AWSLOGIN_PASSWORD"] = sandbox.world.people["ann"].password
    del signed_up.environ["AWSLOGIN_AGENT"]
    signed_up.changes |= OF_REPLIES
    time.sleep(0.1)
    yield signed_up
    signed_up.run("agent", "stop")


@pytest.fixture
def crowd(home: Home, tmp_path: Path) -> Iterator[Crowd]:
    crowd = Crowd(home, tmp_path / "said")
    yield crowd
    crowd.end()


def test_one_sign_in_serves_all_at_once(home: Home, crowd: Crowd, sandbox: Sandbox) -> None:
    with held(sandbox, "sts") as gate:
        crowd.start(MANY, "creds", "dev")
        crowd.wait_until_waiting(MANY - 1)
        gate.set()
        done = crowd.finish()
    assert {code for code, _ in done} == {0}
    assert len({out for _, out in done}) == 1
    assert json.loads(done[0][1])["AccessKeyId"].startswith("ASIA")
    assert len(sandbox.calls("sts", "GetSessionToken")) == 1


def test_a_refused_sign_in_is_the_result_of_all(home: Home, crowd: Crowd, sandbox: Sandbox) -> None:
    home.environ["AWSLOGIN_PASSWORD"] = "wrong"
    with held(sandbox, "idp") as gate:
        crowd.start(50, "creds", "prod")
        crowd.wait_until_waiting(49)
        gate.set()
        done = crowd.finish()
    assert {code for code, _ in done} == {3}
    assert {out for _, out in done} == {""}
    lines = {line for line in crowd.said.splitlines() if line.startswith("{")}
    assert {json.loads(line)["error"]["code"] for line in lines} == {"login_refused"}
    assert sandbox.idp.passwords_seen == 1
    assert home.run("creds", "prod").code == 3  # one who comes later signs in anew
    assert sandbox.idp.passwords_seen == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_holders_end_harms_nobody(
    home: Home, crowd: Crowd, sandbox: Sandbox, number: signal.Signals
) -> None:
    home.run("agent", "start").ok()
    with held(sandbox, "sts") as gate:
        (holder,) = crowd.start(1, "creds", "dev")
        until(lambda: sandbox.calls("sts"))
        crowd.start(20, "creds", "dev")
        crowd.wait_until_waiting(20)
        os.kill(holder.pid, number)
        holder.wait()
        gate.set()
        done = crowd.finish()
    assert [code for code, _ in done] == [-9 if number == signal.SIGKILL else 130] + [0] * 20
    assert len({out for _, out in done[1:]}) == 1


def test_ctrl_c_ends_one_that_waits_in_one_line(home: Home, crowd: Crowd, sandbox: Sandbox) -> None:
    home.run("agent", "start").ok()
    with held(sandbox, "sts") as gate:
        crowd.start(1, "creds", "dev")
        until(lambda: sandbox.calls("sts"))
        (waiting,) = crowd.start(1, "creds", "dev")
        crowd.wait_until_waiting(1)
        waiting.send_signal(signal.SIGINT)
        waiting.wait()
        gate.set()
        done = crowd.finish()
    assert [code for code, _ in done] == [0, 130]
    said = [line for line in crowd.said.splitlines() if WAITING not in line]
    assert [json.loads(line)["error"]["code"] for line in said] == ["interrupted"]


def test_the_agents_end_harms_nobody(home: Home, crowd: Crowd, sandbox: Sandbox) -> None:
    pid = home.run("agent", "start", "--output", "json").ok().json["pid"]
    with held(sandbox, "sts") as gate:
        crowd.start(6, "creds", "dev")
        crowd.wait_until_waiting(5)
        os.kill(pid, signal.SIGKILL)
        gate.set()
        done = crowd.finish()
    assert {code for code, _ in done} == {0}
    assert len({out for _, out in done}) == 1
    assert len(sandbox.calls("sts", "GetSessionToken")) == 1


def test_one_prompt_and_those_who_cannot_be_asked_wait(
    home: Home, crowd: Crowd, sandbox: Sandbox
) -> None:
    password = home.environ.pop("AWSLOGIN_PASSWORD")
    terminal = Terminal(home, "creds", "prod")
    terminal.wait_for("Password")
    crowd.start(20, "creds", "prod")
    crowd.wait_until_waiting(20)
    terminal.answer("Password", password)
    out = terminal.finish().ok().out
    assert {text for _, text in crowd.finish()} == {out}
    assert sandbox.idp.passwords_seen == 1


def test_one_who_can_be_asked_does_not_take_no_for_an_answer(
    home: Home, crowd: Crowd, sandbox: Sandbox
) -> None:
    password = home.environ.pop("AWSLOGIN_PASSWORD")
    home.run("agent", "start").ok()
    with held(sandbox, "idp") as gate:
        crowd.start(1, "creds", "prod")
        until(lambda: sandbox.calls("idp"))
        terminal = Terminal(home, "creds", "prod")
        terminal.wait_for(WAITING)
        gate.set()
        terminal.answer("Password", password)
        terminal.finish().ok()
    assert crowd.finish()[0][0] == 4


def test_two_peoples_sign_ins_do_not_wait_for_each_other(
    home: Home, crowd: Crowd, sandbox: Sandbox
) -> None:
    config = Path(home.environ["AWSLOGIN_CONFIG"])
    config.write_text(config.read_text().replace(", username: ann", ""))
    ann: dict[str, str | None] = {"AWSLOGIN_USERNAME": "ann"}
    home.run("creds", "prod", env=ann).ok()
    home.run("logout", "--all").ok()
    with held(sandbox, "idp", lambda asked: "otto" in str(asked.form)):
        crowd.start(1, "creds", "prod", env={"AWSLOGIN_USERNAME": "otto"})
        until(lambda: any("otto" in str(asked.form) for asked in sandbox.calls("idp")))
        home.run("creds", "prod", env=ann).ok()


@pytest.fixture
def without_agent(home: Home) -> Home:
    home.environ["AWSLOGIN_AGENT"] = "off"
    return home


def test_without_an_agent_one_sign_in_serves_all(
    without_agent: Home, crowd: Crowd, sandbox: Sandbox
) -> None:
    with held(sandbox, "sts") as gate:
        crowd.start(WITHOUT_AGENT, "creds", "dev")
        crowd.wait_until_waiting(WITHOUT_AGENT - 1)
        gate.set()
        done = crowd.finish()
    assert {code for code, _ in done} == {0}
    assert len(sandbox.calls("sts", "GetSessionToken")) == 1


def test_without_an_agent_a_refusal_is_shared(
    without_agent: Home, crowd: Crowd, sandbox: Sandbox
) -> None:
    without_agent.environ["AWSLOGIN_PASSWORD"] = "wrong"
    with held(sandbox, "idp") as gate:
        crowd.start(WITHOUT_AGENT, "creds", "prod")
        crowd.wait_until_waiting(WITHOUT_AGENT - 1)
        gate.set()
        done = crowd.finish()
    assert {code for code, _ in done} == {3}
    assert sandbox.idp.passwords_seen == 1


def test_without_an_agent_a_killed_holder_frees_the_lock(
    without_agent: Home, crowd: Crowd, sandbox: Sandbox
) -> None:
    with held(sandbox, "sts") as gate:
        (holder,) = crowd.start(1, "creds", "dev")
        until(lambda: sandbox.calls("sts"))
        crowd.start(3, "creds", "dev")
        crowd.wait_until_waiting(3)
        holder.kill()
        holder.wait()
        gate.set()
        done = crowd.finish()
    assert [code for code, _ in done] == [-9, 0, 0, 0]


def test_patience_ends(without_agent: Home, crowd: Crowd, sandbox: Sandbox) -> None:
    with held(sandbox, "sts"):
        crowd.start(1, "creds", "dev")
        until(lambda: sandbox.calls("sts"))
        done = without_agent.run("creds", "dev", "--timeout", "1s", "--no-input")
    assert done.code == 5
    assert "waited 1 s for another awslogin" in done.err
