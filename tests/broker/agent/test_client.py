"""An agent that does not answer is waited for once in a process, by the warm path or after it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import warm
from broker.agent import client
from broker.agent.client import AgentClient
from broker.secret import Secret


class Frozen:
    """A socket of an agent that is stopped: it takes connections and says nothing."""

    def __init__(self, home: Path) -> None:
        folder = home / "agent"
        folder.mkdir(mode=0o700)
        self.environ = {"AWSLOGIN_HOME": str(home)}
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(folder / "socket"))
        self.socket.listen()
        self.socket.settimeout(0)

    def connections(self) -> int:
        """How often somebody has tried."""
        count = 0
        try:
            while True:
                self.socket.accept()[0].close()
                count += 1
        except BlockingIOError:
            return count


@pytest.fixture
def frozen(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Frozen]:
    monkeypatch.setattr(client, "PATIENCE", 0.05)
    monkeypatch.setattr(warm, "PATIENCE", 0.05)
    monkeypatch.setattr(warm, "agent_is_silent", False)
    monkeypatch.setattr(warm, "hold_interrupts", lambda: None)
    agent = Frozen(tmp_path_factory.mktemp("f"))
    for name, value in {**agent.environ, "CI": "", "AWSLOGIN_AGENT": ""}.items():
        monkeypatch.setenv(name, value)
    yield agent
    agent.socket.close()


def test_the_full_program_waits_once(frozen: Frozen) -> None:
    for _ in range(2):
        agent = AgentClient(frozen.environ)
        assert agent.recall("sealing-key") is None
        agent.keep("sealing-key", Secret("secret"))
        agent.failed(3, "a line")
    assert frozen.connections() == 1


def test_the_full_program_does_not_wait_where_the_warm_path_has(frozen: Frozen) -> None:
    def start(folder: str) -> socket.socket:
        raise AssertionError(folder)

    assert warm.answer(["creds", "dev"], start) is None
    assert frozen.connections() == 1
    assert AgentClient(frozen.environ).recall("sealing-key") is None
    assert frozen.connections() == 0
