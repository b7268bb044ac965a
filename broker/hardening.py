"""No core dump and no debugger for processes that hold secrets, and what a child gets back of it.

The limit is inherited, the mark is not: execve(2) clears it, prctl(2) says. What is marked has a
`/proc/self` of root's: it reads its own descriptors all the same, not its `environ` or `maps`.
"""

from __future__ import annotations

import contextlib
import sys

PR_SET_DUMPABLE, PR_SET_PDEATHSIG = 4, 1
_core_limits: list[tuple[int, int]] = []


def harden() -> None:
    """Write no core dump, and let nobody but root read this process's memory."""
    if sys.platform == "win32":
        return
    import resource

    if not _core_limits:
        _core_limits.append(resource.getrlimit(resource.RLIMIT_CORE))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, _core_limits[0][1]))
    prctl(PR_SET_DUMPABLE, 0)


def give_back() -> None:
    """For a command that we become, or a child between fork and exec: the limit of before."""
    if _core_limits:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, _core_limits[0])


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process on Linux; nothing elsewhere, or where libc cannot."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
