"""The agent: whether it answers, and whether it is of this version."""

from __future__ import annotations

from collections.abc import Iterator

from broker.agent.client import AgentClient
from broker.doctor.finding import Finding, Machine
from broker.warm import agent_folder, connect, may_ask_agent


def agent(machine: Machine) -> Iterator[Finding]:
    """A frozen one slows every command down; one of another version is replaced at the next."""
    if not may_ask_agent(machine.environ):
        why = "CI, Windows, or AWSLOGIN_AGENT=off"
        yield Finding("agent", "info", f"no agent is asked here ({why})")
        return
    status = AgentClient(machine.environ).status()
    if status["running"]:
        yield Finding("agent", "ok", f"runs as process {status['pid']}")
    elif _is_there(machine):
        yield Finding(
            "agent",
            "warning",
            f"the agent at {status['socket']} does not answer: it is frozen, or of another version",
            "awslogin agent stop",
            fix=lambda: AgentClient(machine.environ).stop(),
        )
    else:
        yield Finding("agent", "ok", "does not run; the next command starts it")


def _is_there(machine: Machine) -> bool:
    """Whether a process has the socket; folders that are not as they should be are told of."""
    try:
        connect(agent_folder(machine.environ)).close()
    except OSError:
        return False
    return True
