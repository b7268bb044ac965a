"""The agent: whether it answers, and whether it is of this version."""

from __future__ import annotations

import os
from collections.abc import Iterator

from broker.agent.client import AgentClient
from broker.doctor.finding import Finding, Machine
from broker.warm import agent_folder, may_ask_agent


def agent(machine: Machine) -> Iterator[Finding]:
    """A frozen one slows every command down; one of another version is replaced at the next."""
    if not may_ask_agent(machine.environ):
        why = "CI, Windows, or AWSLOGIN_AGENT=off"
        yield Finding("agent", "info", f"no agent is asked here ({why})")
        return
    try:
        socket = os.path.join(agent_folder(machine.environ), "socket")  # noqa: PTH118
    except FileNotFoundError:
        return  # a state folder that is none, which has a finding of its own
    status = AgentClient(machine.environ).status()
    if status["running"]:
        yield Finding("agent", "ok", f"runs as process {status['pid']}")
    elif os.path.exists(socket):  # noqa: PTH110
        yield Finding(
            "agent",
            "warning",
            f"the agent at {socket} does not answer: it is frozen, gone, or of another version",
            "awslogin agent stop && awslogin agent start",
            fix=lambda: AgentClient(machine.environ).stop(),
        )
    else:
        yield Finding("agent", "ok", "does not run; the next command starts it")
