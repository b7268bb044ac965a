"""A lock file, which one process holds at a time and a dead one gives back. Owns no file's meaning.

On POSIX it is flock(2), as `filelock` has it too, without loading that: each command without an
agent reads the sealing key under one.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PAUSE = 0.05
"""Seconds between two looks at a lock that another process holds."""


@contextlib.contextmanager
def locked(path: Path, seconds: float = math.inf) -> Iterator[None]:
    """Hold the lock of a file, which is made with mode 0600 and stays.

    Args:
        path: Its folder exists.
        seconds: How long it is waited for.

    Raises:
        OSError: No file can be written there, or (`TimeoutError`) another process holds it still.
    """
    if sys.platform == "win32":
        from filelock import FileLock

        with FileLock(path, timeout=-1 if seconds == math.inf else seconds):
            yield
        return
    until = time.monotonic() + seconds
    while (handle := _locked(path)) is None:
        if time.monotonic() >= until:
            raise TimeoutError(f"{path} is locked")
        time.sleep(PAUSE)
    try:
        yield
    finally:
        os.close(handle)


def _locked(path: Path) -> int | None:
    """The file, open and locked; None where another process holds it, or removed it meanwhile."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_nlink:
            return handle
    except BlockingIOError:
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None
