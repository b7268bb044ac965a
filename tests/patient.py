"""Starts `awslogin` as its script does, but waits longer: on a busy machine others are slow.

Run as a program, isolated and without site-packages: `PATIENT` is how.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

if not __package__:
    sys.path.insert(0, __file__.rpartition("/tests/")[0])

from broker import launch, warm  # noqa: E402

PATIENCE = 120.0
"""Seconds; what a person would not wait for."""
LIMITS = {
    "broker.warm.PATIENCE": PATIENCE,
    "broker.agent.client.PATIENCE": PATIENCE,
    "broker.agent.start.SECONDS": PATIENCE,
}
"""Of the agent. What waits for one that is to be silent takes them back."""
OF_REPLIES = {
    "broker.ports.aws_sender.DEADLINE": PATIENCE,
    "broker.ports.aws_sender.DEADLINE_IN_ALL": PATIENCE,
    "broker.ports.http.DEADLINE": PATIENCE,
}
"""For tests in which a service keeps a process waiting while others start."""
PATIENT = (sys.executable, "-I", "-S", __file__)


def _started(folder: str) -> "socket":
    _wait_longer("broker.agent.start")
    from broker.agent.start import started

    return started(folder)


def _full_program(arguments: "list[str]") -> int:
    from broker.isolated import add_site_packages

    add_site_packages()
    for name in LIMITS | OF_REPLIES:
        _wait_longer(name.rpartition(".")[0])
    return _program(arguments)


def _wait_longer(module: str) -> None:
    import importlib

    importlib.import_module(module)
    for name, seconds in (LIMITS | OF_REPLIES).items():
        place, _, constant = name.rpartition(".")
        if place == module:
            setattr(sys.modules[module], constant, seconds)


if __name__ == "__main__":
    warm.PATIENCE = PATIENCE
    _program = launch.full_program
    launch._start_agent, launch.full_program = _started, _full_program
    sys.exit(launch.main())
