"""Whether a process runs below a narrowed session, by the kernel's word. Linux alone tells it.

A child of a narrowed session could take the mark out of its own environment; those of the processes
that it stems from keep theirs. One that has cut itself off from them (a daemon's way) is not found.
Source: proc_pid_stat(5), proc_pid_environ(5): the environment as the process was started with.
"""

from __future__ import annotations

import os
import sys

MARK = b"AWSLOGIN_NARROWED="
MOST = 4096
"""Processes above one another that are looked at."""
MAX_ENVIRON_BYTES = 1 << 20


def narrowed_above(pid: int) -> str:
    """The profile whose narrowed session the process or one that it stems from was started in.

    Empty where there is none, or the system does not tell.
    """
    if sys.platform != "linux":
        return ""
    for _ in range(MOST):
        profile = _mark(pid)
        if profile:
            return profile
        pid = _parent(pid)
        if pid <= 1:
            break
    return ""


def _mark(pid: int) -> str:
    """What its environment says; that of another user's process, or a hardened one, is not told."""
    for variable in _read(f"/proc/{pid}/environ", MAX_ENVIRON_BYTES).split(b"\0"):
        if variable.startswith(MARK):
            return os.fsdecode(variable[len(MARK) :])
    return ""


def _parent(pid: int) -> int:
    """Its parent's id; 0 where there is none. The name in front may hold anything but this end."""
    fields = _read(f"/proc/{pid}/stat", 4096).rpartition(b") ")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _read(path: str, most: int) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(most) or b""
    except OSError:
        return b""
