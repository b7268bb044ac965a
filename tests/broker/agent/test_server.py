"""The agent's own rules, without its process: refresh, expiry, and what it will not keep."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from broker.agent import server
from broker.agent.server import Agent

PLACE = (b"given", b"/team/config.yaml", b"dev")


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The commands that the agent would have started."""
    started: list[dict[str, Any]] = []

    class Child:
        def __init__(self, words: list[str], **options: Any) -> None:
            started.append({"words": words, **options})

        def poll(self) -> int | None:
            return None

        def kill(self) -> None:
            started[-1]["killed"] = True

    monkeypatch.setattr(subprocess, "Popen", Child)
    return started


@pytest.fixture
def agent() -> Agent:
    """It holds a session that ends in a minute and is to be refreshed now."""
    agent = Agent(3600)
    hold(agent)
    return agent


def hold(agent: Agent, *, fresh_for: float = 60, refresh_in: float = -1) -> None:
    values = (b"AWS_REGION", b"+eu-west-1", b"AWSLOGIN_PASSPHRASE", b"+secret", b"CI", b"-")
    agent._declare(1, *PLACE, b"key", b"lasting", b"/missing", b"-", b"", *values)
    times = [b"%f" % (time.time() + seconds) for seconds in (fresh_for, refresh_in, fresh_for)]
    texts = (b"process", b"the session")
    agent._put(1, b"key", b"sign-in", b"dev", b"/missing", b"-", *times, *texts)


def use(agent: Agent) -> bytes | None:
    with agent._changed:
        (door,) = agent._doors[PLACE]
        return agent._text(door, b"process")


def test_a_used_session_is_refreshed_once_in_a_child(
    agent: Agent, children: list[dict[str, Any]]
) -> None:
    agent.tick()
    assert children == []
    assert use(agent) == b"the session"
    agent.tick()
    agent.tick()
    (child,) = children
    assert child["words"][1:] == [
        "-P", "-m", "broker.cli", "creds", "dev", "--force", "--no-input",
        "--config", "/team/config.yaml",
    ]  # fmt: skip
    assert child["env"][b"AWS_REGION"] == b"eu-west-1"
    assert b"AWSLOGIN_PASSPHRASE" not in child["env"]
    assert child["stdout"] == child["stdin"] == child["stderr"] == subprocess.DEVNULL


def test_the_child_lacks_what_the_asking_command_had_not_set(
    agent: Agent, children: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "of the shell that started the agent")
    use(agent)
    agent.tick()
    assert b"CI" not in children[0]["env"]


def test_no_child_looks_for_state_in_a_folder_of_its_own(
    agent: Agent, children: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWSLOGIN_HOME", "state")
    use(agent)
    agent.tick()
    assert children == []


def test_not_before_its_time(children: list[dict[str, Any]]) -> None:
    agent = Agent(3600)
    hold(agent, refresh_in=30)
    use(agent)
    agent.tick()
    assert children == []


def test_lock_ends_what_would_bring_it_back(agent: Agent, children: list[dict[str, Any]]) -> None:
    use(agent)
    agent.tick()
    agent._keep(1, b"sealing-key", b"secret")
    held, kept = agent._held[b"key"].texts[b"process"], agent._secrets[b"sealing-key"]
    agent._lock(1)
    assert children[0]["killed"]
    assert set(held) == set(kept) == {0}
    assert use(agent) is None
    assert agent._recall(1, b"sealing-key") == [b"none"]


def test_what_is_not_fresh_is_wiped(agent: Agent) -> None:
    hold(agent, fresh_for=-1)
    assert use(agent) is None
    agent.tick()
    assert agent._held == {}


def test_a_door_holds_as_long_as_its_files_are_as_they_were(agent: Agent, tmp_path: Any) -> None:
    file = tmp_path / "trusted.json"
    agent._declare(1, *PLACE, b"key", b"lasting", str(file).encode(), b"-", b"", b"CI", b"-")
    with agent._changed:
        assert len(agent._doors_at(PLACE)) == 2
        file.write_text("{}")
        assert len(agent._doors_at(PLACE)) == 1


def test_secrets_are_not_kept_as_values(agent: Agent) -> None:
    (door,) = agent._doors[PLACE]
    assert b"+secret" not in door.environ.values()
    assert server.is_plain(b"AWS_REGION")
    for name in (b"AWSLOGIN_PASSWORD", b"AWS_SESSION_TOKEN", b"AWS_ACCESS_KEY_ID", b"X_SECRET"):
        assert not server.is_plain(name)


def test_it_ends_when_idle_but_not_under_a_sign_in() -> None:
    agent = Agent(0)
    flight = agent._lead(7, PLACE, None)
    time.sleep(0.01)
    agent.tick()
    assert not agent.stopping.is_set()
    with agent._changed:
        agent._end(flight)
    agent.tick()
    assert agent.stopping.is_set()


def test_a_sign_in_ends_though_the_config_was_edited_meanwhile(
    agent: Agent, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    with agent._changed:
        flight = agent._lead(7, PLACE, None)
    agent._declare(7, *PLACE, b"other", b"passing", bytes(file), b"-", b"", b"CI", b"-")
    file.write_text("edited")
    with agent._changed:
        agent._doors_at(PLACE)
        agent._end(flight)
    assert agent._flights == {}
