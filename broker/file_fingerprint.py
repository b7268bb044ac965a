"""What tells that a file has not changed, without reading it. Owns the fingerprint alone.

A file that was changed twice within one tick of the file system's clock may have one fingerprint
for two contents, so a younger one is not to be trusted (as git has it: "racily clean").
"""

import os
import time

ABSENT = b"-"
FINE_TICK_NS, COARSE_TICK_NS = 50_000_000, 2_500_000_000
"""Nanoseconds: file systems that keep parts of a second, and those that do not."""


def file_fingerprint(path: str | bytes) -> bytes:
    """Device, inode, size and both times of what stands at a path."""
    try:
        about = os.stat(path)
    except OSError:
        return ABSENT
    return b"%d %d %d %d %d" % (
        about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns,
    )  # fmt: skip


def is_trustworthy(fingerprint: bytes, read_at_ns: int | None = None) -> bool:
    """Whether what a fingerprint names was old enough to tell two contents apart.

    Args:
        fingerprint: As it is now.
        read_at_ns: Nanoseconds since 1970 before which the file was not read; now, where it is
            read only after its fingerprint was taken.
    """
    if fingerprint == ABSENT:
        return True
    changed = max(int(part) for part in fingerprint.split()[3:])
    tick = FINE_TICK_NS if changed % 1_000_000_000 else COARSE_TICK_NS
    return (time.time_ns() if read_at_ns is None else read_at_ns) - changed > tick
