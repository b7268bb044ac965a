"""The agent's server through its messages: what it starts, wipes and refuses, and when it ends."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from broker import isolated
from broker.agent import messages
from broker.agent.messages import decode, encode
from broker.agent.server import AgentServer
from broker.warm import receive, send
from tests.support import PATIENCE

PLACE = (b"given", b"/team/config.yaml", b"dev")
VALUES = {b"AWS_REGION": b"+eu-west-1", b"AWSLOGIN_PASSPHRASE": b"+secret", b"CI": b"-"}


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The commands that the agent would have started; `start` gives it nothing of the caller's."""
    monkeypatch.delenv("AWSLOGIN_PASSPHRASE", raising=False)
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


@contextmanager
def connected(agent: AgentServer) -> Iterator[socket.socket]:
    """A connection of this process to the agent."""
    ours, its = socket.socketpair()
    ours.settimeout(PATIENCE)
    serving = threading.Thread(target=agent.serve, args=(its,))
    with ours:
        serving.start()
        yield ours
    serving.join(PATIENCE)
    its.close()


def tell(agent: AgentServer, message: Any) -> list[bytes]:
    with connected(agent) as link:
        send(link, *encode(message))
        return receive(link)


def ask(agent: AgentServer) -> list[bytes]:
    """Ask for the session as a warm command does."""
    with connected(agent) as link:
        send(link, b"get", *PLACE, b"process")
        reply = receive(link)
        while reply[0] == b"ask":
            send(link, *[VALUES[name] for name in reply[1:]])
            reply = receive(link)
        return reply


@pytest.fixture
def agent() -> AgentServer:
    """It holds a session that is fresh for ten minutes and is to be refreshed now."""
    agent = AgentServer(3600, 28800)
    tell(agent, messages.Declare(*PLACE, b"id", True, {b"/missing": b"-"}, VALUES))
    until, texts = time.time() + 600, {b"process": b"the session"}
    put = messages.Put(b"id", b"s", b"dev", b"/missing", b"-", until, until - 601, until, texts)
    assert tell(agent, put) == [b"done"]
    return agent


def test_a_used_session_is_refreshed_once_in_a_child(
    agent: AgentServer, children: list[dict[str, Any]]
) -> None:
    agent.tick()
    assert children == []
    assert ask(agent) == [b"take", b"the session"]
    agent.tick()
    agent.tick()
    (child,) = children
    assert child["words"] == [
        *isolated.command("broker.cli"),
        *("creds", "dev", "--force", "--no-input", "--config", "/team/config.yaml"),
    ]
    assert child["env"][b"AWS_REGION"] == b"eu-west-1"
    assert b"AWSLOGIN_PASSPHRASE" not in child["env"]
    assert child["stdout"] == child["stdin"] == child["stderr"] == subprocess.DEVNULL


def test_the_child_lacks_what_the_asking_command_had_not_set(
    agent: AgentServer, children: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "of the shell that started the agent")
    ask(agent)
    agent.tick()
    assert b"CI" not in children[0]["env"]


def test_no_child_looks_for_state_in_a_folder_of_its_own(
    agent: AgentServer, children: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWSLOGIN_HOME", "state")
    ask(agent)
    agent.tick()
    assert children == []


def test_lock_ends_what_would_bring_it_back(
    agent: AgentServer, children: list[dict[str, Any]]
) -> None:
    ask(agent)
    agent.tick()
    tell(agent, messages.Keep(b"sealing-key/x", b"secret"))
    recall = messages.Recall(b"sealing-key/x")
    assert decode(messages.Recalled, tell(agent, recall)).value == b"secret"
    with connected(agent) as link:
        send(link, b"lock")
        assert receive(link) == [b"done"]
    assert children[0]["killed"]
    assert decode(messages.Recalled, tell(agent, recall)).value == b""
    assert ask(agent) == [b"go"]


def test_it_ends_when_idle_but_not_under_a_sign_in() -> None:
    agent = AgentServer(0, 3600)
    with connected(agent) as link:
        send(link, b"get", *PLACE, b"process")
        assert receive(link) == [b"go"]
        agent.tick()
        assert not agent.stopping.is_set()
    agent.tick()
    assert agent.stopping.is_set()


def test_it_ends_after_its_life_whoever_asks() -> None:
    agent = AgentServer(3600, 0)
    with connected(agent) as link:
        send(link, b"get", *PLACE, b"process")
        assert receive(link) == [b"go"]
        agent.tick()
        assert agent.stopping.is_set()


@pytest.mark.parametrize("verb", [b"status", b"lock", b"recall"])
def test_who_wants_no_session_does_not_keep_it_alive(verb: bytes) -> None:
    agent = AgentServer(0, 3600)
    with connected(agent) as link:
        send(link, *([verb, b"name", b"sealing-key/x"] if verb == b"recall" else [verb]))
        assert receive(link)
    agent.tick()
    assert agent.stopping.is_set()
