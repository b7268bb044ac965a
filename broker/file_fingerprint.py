"""What tells that a file has not changed, without reading it. Owns the stamp alone.

A file that was changed twice within one tick of the file system's clock may bear the same stamp for
two contents, so a stamp that is younger than that proves nothing (as git has it: "racily clean").
"""

import os
import time

ABSENT = b"-"
_FINE, _COARSE = 50_000_000, 2_500_000_000
"""Nanoseconds: file systems that keep parts of a second, and those that do not."""


def stamp(path: str | bytes) -> bytes:
    """Device, inode, size and both times of what stands at a path."""
    try:
        about = os.stat(path)
    except OSError:
        return ABSENT
    return b"%d %d %d %d %d" % (
        about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns,
    )  # fmt: skip


def proves(told: bytes) -> bool:
    """Whether a stamp that was taken just now is old enough to tell two contents apart."""
    if told == ABSENT:
        return True
    changed = max(int(part) for part in told.split()[3:])
    return time.time_ns() - changed > (_FINE if changed % 1_000_000_000 else _COARSE)
