"""Starts a server for a test, waits until it answers, and ends it. Knows no particular one."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

MEND = "run scripts/install-test-parts"


def program(name: str) -> str:
    """The full path of an installed program.

    Raises:
        FileNotFoundError: It is not installed.
    """
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise FileNotFoundError(f"{name} is not installed: {MEND}")
    return path


def free_port() -> int:
    """A free loopback port below the ephemeral ones.

    A client that polls a free ephemeral port may be given that very port and connect to itself.
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def answers(port: int) -> bool:
    """Whether something listens on this loopback port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def clean_environ(**more: str) -> dict[str, str]:
    """The environment of a server: nothing of the caller's but where programs are found."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}


@contextmanager
def running(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    ready: Callable[[], bool],
    seconds: float = 120,
    stdin: bytes = b"",
) -> Iterator[subprocess.Popen[bytes]]:
    """A server while the block runs; the kernel ends it too when this thread is killed.

    Args:
        words: The command.
        env: Its whole environment.
        log: Where its stdout and stderr go.
        ready: Says whether it answers; asked every few milliseconds.
        seconds: How long it may take until then.
        stdin: What it reads.

    Raises:
        RuntimeError: It ended, or did not answer in time; holds the end of its log.
    """
    tied = [program("setpriv"), "--pdeathsig", "KILL", "--", program(words[0]), *words[1:]]
    with log.open("ab") as out:
        server = subprocess.Popen(
            tied,
            env=dict(env),
            cwd=log.parent,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    assert server.stdin is not None
    try:
        with server.stdin:
            server.stdin.write(stdin)
        until = time.monotonic() + seconds
        while not ready():
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{words[0]} is not ready:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield server
    finally:
        stop(server)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(5)
