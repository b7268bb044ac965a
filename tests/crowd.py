"""Many `awslogin` processes at once, and a service that keeps them waiting. Owns no assertion."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests import preloaded
from tests.patient import PATIENT
from tests.sandbox import Sandbox
from tests.sandbox.server import Answer, Asked
from tests.support import PATIENCE, Home

WAITING = "waiting for another awslogin"


class Crowd:
    """Processes of one command; all of their stderr goes to one file."""

    def __init__(self, home: Home, log: Path) -> None:
        self._home = home
        self._log = log
        self.processes: list[subprocess.Popen[str]] = []

    def start(
        self, count: int, *words: str, env: dict[str, str | None] | None = None
    ) -> list[subprocess.Popen[str]]:
        """Start so many, without a terminal; forks, where no agent spares them the program."""
        environ = self._home.env(env)
        with self._log.open("a") as log:
            start = self._forked if environ.get("AWSLOGIN_AGENT") == "off" else self._started
            started = [start(words, environ, log) for _ in range(count)]
        self.processes += started
        return started

    def _forked(
        self, words: Sequence[str], environ: dict[str, str], log: IO[str]
    ) -> subprocess.Popen[str]:
        return preloaded.Forked(
            [preloaded.COMMAND, *words], environ, self._home.work, changes=self._home.changes,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip

    def _started(
        self, words: Sequence[str], environ: dict[str, str], log: IO[str]
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PATIENT, *words],
            env=environ,
            cwd=self._home.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        """All that they have written to stderr."""
        return self._log.read_text()

    def wait_until_waiting(self, count: int) -> None:
        """Until so many have said that they wait."""
        until(lambda: self.said.count(WAITING) >= count)

    def finish(self, timeout: float = PATIENCE) -> list[tuple[int, str]]:
        """Exit code and stdout of each."""
        done = []
        for process in self.processes:
            out, _ = process.communicate(timeout=timeout)
            done.append((process.returncode, out))
        return done

    def end(self) -> None:
        """Leave none behind."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def until(true: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def held(
    sandbox: Sandbox, service: str, only: Callable[[Asked], bool] = lambda _: True
) -> Iterator[threading.Event]:
    """A service that does not answer until the event is set; at the block's end it is."""
    running = sandbox.services[service]
    handle, gate = running._handle, threading.Event()

    def wait(asked: Asked) -> Answer:
        if only(asked):
            gate.wait(PATIENCE)
        return handle(asked)

    running._handle = wait
    try:
        yield gate
    finally:
        gate.set()
        running._handle = handle
