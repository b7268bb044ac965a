"""The agent's process: its start, its socket, its end. Owns what hardens it; not what it serves.

Run as a file, without site-packages: `process.py FOLDER IDLE LIFE LOCK`; the lock is inherited.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from typing import NoReturn

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(__file__))))

from broker.agent.refresh import now
from broker.agent.server import AgentServer
from broker.hardening import harden
from broker.private_opener import private_opener
from broker.warm import is_private, socket_path

TICK = 5.0
"""Seconds between looks at what has expired, is to be refreshed, or has been idle."""
NO_ROOM = 0.1
"""Seconds until the next try where file descriptors have run out."""


def listen(folder: str) -> tuple[socket.socket, str]:
    """The socket, in the folder, or in a short private one that the folder's `where` names."""
    where = os.path.join(folder, "where")
    with contextlib.suppress(OSError):
        old = os.path.dirname(socket_path(folder))
        if os.path.basename(old).startswith("awslogin-") and is_private(old):
            shutil.rmtree(old)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(where)
    try:
        path = socket_path(folder)
    except FileNotFoundError:
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        short = runtime if len(runtime) < 60 and os.path.isdir(runtime) else "/tmp"  # noqa: S108
        path = os.path.join(tempfile.mkdtemp(prefix="awslogin-", dir=short), "socket")
        with open(f"{where}.new", "w", encoding="utf-8", opener=private_opener) as file:
            file.write(path)
        os.replace(f"{where}.new", where)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{path}.new")
    listener.bind(f"{path}.new")
    listener.listen(512)
    os.replace(f"{path}.new", path)
    return listener, path


def main(folder: str, idle: str, life: str, lock: str) -> None:
    """Serve until stopped, idle, or robbed of the socket."""
    os.closerange(3, int(lock))
    os.closerange(int(lock) + 1, os.sysconf("SC_OPEN_MAX"))
    os.set_inheritable(int(lock), False)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    harden()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it gives none back: it runs nobody's command
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, _terminate)
    agent = AgentServer(float(idle), float(life))
    listener, path = listen(folder)
    ours = os.lstat(path)
    pause = min(TICK, float(idle) / 2, float(life) / 2)
    listener.settimeout(pause)
    due = now() + pause
    try:
        while not agent.stopping.is_set() and _is_still(ours, path):
            link = _accepted(listener)
            if now() >= due:  # before anyone is served: the machine may have slept past our end
                agent.tick()
                due = now() + pause
            if link:
                threading.Thread(target=_serve, args=(agent, link), daemon=True).start()
    finally:
        agent.end()
        _tidy(folder, path, ours)
        os._exit(0)


def _accepted(listener: socket.socket) -> socket.socket | None:
    """The next connection, or None where none came in time or there is no room for it now."""
    try:
        return listener.accept()[0]
    except TimeoutError:
        return None
    except OSError as error:
        if error.errno not in {errno.EMFILE, errno.ENFILE}:
            raise
        time.sleep(NO_ROOM)
        return None


def _serve(agent: AgentServer, link: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, IndexError), link:
        agent.serve(link)


def _is_still(ours: os.stat_result, path: str) -> bool:
    try:
        return os.path.samestat(ours, os.lstat(path))
    except OSError:
        return False


def _tidy(folder: str, path: str, ours: os.stat_result) -> None:
    if _is_still(ours, path):
        with contextlib.suppress(OSError):
            os.unlink(path)
    if os.path.dirname(path) != folder:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(path))
            os.unlink(os.path.join(folder, "where"))


def _terminate(number: int, _frame: object) -> NoReturn:
    raise InterruptedError(number)


if __name__ == "__main__":
    main(*sys.argv[1:])
