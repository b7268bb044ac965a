"""Files written whole or not at all: to a temporary name beside them, which is then renamed.

Owns the temporary names, and that those of a killed process go with the next write in their folder.
A writer holds a lock on its temporary file, so a file of that name without one belongs to nobody.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_OURS = re.compile(r"\..+\.awslogin-[0-9a-f]{16}")
_OF_OLDER_VERSIONS = r"\.{name}\.[a-z0-9_]{{8}}"
OLD_SECONDS = 600
"""Age of a temporary file of an older version, without a lock, that counts as left behind."""


def write_whole(path: Path, content: bytes, *, like: os.stat_result | None = None) -> None:
    """Replace a file, of mode 0600; a link at `path` itself is replaced too.

    Args:
        path: Its folder exists.
        content: All of it.
        like: Owner and mode that it gets instead.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    sweep(path.parent, path.name)
    temporary, handle = _temporary(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if like:
                _resemble(temporary, like)
            if sys.platform != "win32":
                temporary.replace(path)  # before the lock goes
        if sys.platform == "win32":
            temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_new(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 that is ours: one that was there is replaced, no link followed.

    Raises:
        OSError: It cannot be written, or is a link, a folder or a device.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "it is no regular file", str(path))
    write_whole(path, content)


def write_over(path: Path, content: bytes, backup: Path) -> None:
    """Write over a file that cannot be replaced, such as one that is mounted by itself.

    Args:
        path: The file.
        content: All of it.
        backup: Holds the old content until the new one is whole and synced; a killed process
            leaves it. In a folder of ours.

    Raises:
        FileExistsError: The backup of an interrupted write is there.
        OSError: It cannot be written; the old content is there still, or in the backup.
    """
    if backup.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(backup))
    before = path.read_bytes()
    write_whole(backup, before)
    try:
        _put(path, content)
    except BaseException:
        _put(path, before)
        backup.unlink()
        raise
    backup.unlink()


def _put(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def sweep(folder: Path, name: str) -> None:
    """Remove temporary files of ours that no process holds; what cannot be removed stays.

    Args:
        folder: Where they lie.
        name: The file whose temporary names of older versions go too, once they are old.
    """
    for path in left_behind(folder, name):
        with contextlib.suppress(OSError), _unheld(path):
            path.unlink()


def left_behind(folder: Path, name: str) -> list[Path]:
    """Temporary files of ours that no process holds; see `sweep`."""
    older = re.compile(_OF_OLDER_VERSIONS.format(name=re.escape(name)))
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            ours = _OURS.fullmatch(entry.name)
            if not ours and not older.fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):
                if _is_old(entry.path, min_age=0 if ours else OLD_SECONDS):
                    with _unheld(Path(entry.path)):
                        found.append(Path(entry.path))
    return found


def _is_old(path: str, *, min_age: float) -> bool:
    """Whether it is a file of this user's, and old enough."""
    about = os.lstat(path)
    own = sys.platform == "win32" or about.st_uid == os.geteuid()
    return own and stat.S_ISREG(about.st_mode) and time.time() - about.st_mtime >= min_age


@contextlib.contextmanager
def _unheld(path: Path) -> Iterator[None]:
    """Hold a file that no other process holds.

    Raises:
        OSError: Another process holds it, or it is gone.
    """
    if sys.platform == "win32":
        yield  # an open file cannot be removed there
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if not _locked(handle):
            raise BlockingIOError(errno.EWOULDBLOCK, "it is held", str(path))
        yield
    finally:
        os.close(handle)


def _temporary(path: Path) -> tuple[Path, int]:
    """A new file beside it, open and locked."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        temporary = path.with_name(f".{path.name}.awslogin-{secrets.token_hex(8)}")
        handle = os.open(temporary, flags, 0o600)
        _locked(handle, wait=True)
        if os.fstat(handle).st_nlink:
            return temporary, handle
        os.close(handle)  # swept by another process before it was locked


def _locked(handle: int, *, wait: bool = False) -> bool:
    """Whether the file is ours from here on; never where the file system knows no locks."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _resemble(temporary: Path, like: os.stat_result) -> None:
    """Give a new file the owner and mode of the old one."""
    if sys.platform != "win32":
        with contextlib.suppress(PermissionError):  # another's file in a folder of ours
            os.chown(temporary, like.st_uid, like.st_gid)
    temporary.chmod(stat.S_IMODE(like.st_mode))
