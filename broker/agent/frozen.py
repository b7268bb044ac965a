"""An agent that hangs: it answers nobody, so it is killed. What it held is at rest, sealed."""

from __future__ import annotations

import contextlib
import os
import signal

from broker.warm import connect, peer_of

WITHIN_SECONDS = 5.0
"""For the kernel to take a killed process away."""


def killed(folder: str) -> bool:
    """Kill this user's agent of a folder and wait for its end; whether there was one.

    The kernel connects us for a process that stands still, and tells which one it is.
    """
    try:
        link = connect(folder)
    except OSError:
        return False
    with contextlib.closing(link):
        pid, _ = peer_of(link)
        if pid <= 1 or pid == os.getpid():  # 0: of another PID namespace
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            return False
        with contextlib.suppress(OSError):
            link.settimeout(WITHIN_SECONDS)
            link.recv(1)  # nothing comes but its end
    return True
