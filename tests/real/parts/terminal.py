"""Runs a command as a person at a terminal does: prompts appear, answers are typed, keys interrupt.

The command gets a controlling terminal of its own. Its stdin, stdout and stderr are that terminal
too, each unless it is redirected, so a prompt on `/dev/tty` is seen while stdout is a pipe.
"""

from __future__ import annotations

import fcntl
import os
import re
import selectors
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests import patient, preloaded

CTRL_C = "\x03"
CTRL_D = "\x04"
_ROWS, _COLUMNS = 40, 120
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_=>])")


@dataclass(frozen=True)
class Done:
    """What a finished command left.

    `screen` is what the terminal showed, what was typed and echoed included, without escape
    sequences; `out` and `err` are empty unless they were redirected.
    """

    code: int
    screen: str
    out: str
    err: str


class Terminal:
    """A command on a terminal, while the block runs; whatever is left of it then is killed.

    Args:
        words: The command.
        env: Its whole environment.
        cwd: Its working directory.
        stdin: Text that it reads from a pipe instead of the terminal.
        pipe_out: Whether its stdout is a pipe.
        pipe_err: Whether its stderr is a pipe.
        timeout: Seconds that each wait may take.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: str | None = None,
        pipe_out: bool = False,
        pipe_err: bool = False,
        timeout: float = 120,
    ) -> None:
        self._timeout = timeout
        self._raw = b""
        self._seen = 0  # how much of the screen earlier expectations have passed
        self._piped: dict[str, bytes] = {"out": b"", "err": b""}
        # The other end stays open here: a command with all three redirected still finds a terminal.
        self._keyboard, self._terminal = os.openpty()
        terminal = self._terminal
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        environ = {"TERM": "xterm-256color", **env}
        streams: dict[str, Any] = {
            "stdin": terminal if stdin is None else subprocess.PIPE,
            "stdout": subprocess.PIPE if pipe_out else terminal,
            "stderr": subprocess.PIPE if pipe_err else terminal,
        }
        if words[0] == preloaded.COMMAND and preloaded.is_like_a_start(environ):
            self._process: subprocess.Popen[bytes] = preloaded.Forked(
                words, environ, cwd or Path.cwd(), terminal=os.ttyname(terminal),
                changes=patient.LIMITS, **streams,
            )  # fmt: skip
        else:
            self._process = subprocess.Popen(
                list(words),
                env=environ,
                cwd=cwd,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),  # noqa: PLW1509
                **streams,
            )
        self._sources = selectors.DefaultSelector()
        self._sources.register(self._keyboard, selectors.EVENT_READ, "screen")
        if self._process.stdout:
            self._sources.register(self._process.stdout, selectors.EVENT_READ, "out")
        if self._process.stderr:
            self._sources.register(self._process.stderr, selectors.EVENT_READ, "err")
        if self._process.stdin:
            with self._process.stdin as pipe:
                pipe.write((stdin or "").encode())

    @property
    def screen(self) -> str:
        """All that the terminal has shown so far, without escape sequences."""
        return _ESCAPES.sub("", self._raw.decode(errors="replace")).replace("\r\n", "\n")

    @property
    def pid(self) -> int:
        """The command's process id."""
        return self._process.pid

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until the screen shows this after what earlier expectations saw.

        Args:
            pattern: A regular expression.

        Raises:
            AssertionError: It did not come in time, or the command ended without it.
        """
        until = time.monotonic() + self._timeout
        while not (found := re.compile(pattern).search(self.screen, self._seen)):
            ended = self._process.poll() is not None
            assert self._read() or not ended, f"ended without {pattern!r} on:\n{self.screen}"
            assert time.monotonic() < until, f"{pattern!r} did not appear on:\n{self.screen}"
        self._seen = found.end()
        return found

    def press(self, keys: str) -> None:
        """Press these keys, without Enter."""
        os.write(self._keyboard, keys.encode())

    def answer(self, pattern: str, line: str) -> None:
        """Wait for a prompt and type a line and Enter."""
        self.expect(pattern)
        self.press(line + "\r")

    def signal(self, number: signal.Signals) -> None:
        """Send the command a signal."""
        self._process.send_signal(number)

    def hang_up(self) -> None:
        """Close the terminal's window: the command's session gets SIGHUP."""
        self._sources.unregister(self._keyboard)
        os.close(self._keyboard)
        self._keyboard = -1

    def finish(self) -> Done:
        """Wait for the command's end.

        Raises:
            AssertionError: It did not end in time.
        """
        until = time.monotonic() + self._timeout
        while self._process.poll() is None:
            self._read()
            assert time.monotonic() < until, f"the command still runs:\n{self.screen}"
        while self._read():
            pass
        out, err = (self._piped[name].decode(errors="replace") for name in ("out", "err"))
        return Done(self._process.returncode, self.screen, out, err)

    def _read(self) -> bool:
        """Take in what is there, or comes very soon; False when that is nothing."""
        ready = self._sources.select(0.05)
        for key, _ in ready:
            chunk = os.read(key.fd, 65536)
            if not chunk:
                self._sources.unregister(key.fileobj)
            elif key.data == "screen":
                self._raw += chunk
            else:
                self._piped[key.data] += chunk
        return bool(ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._sources.close()
        os.close(self._terminal)
        if self._keyboard >= 0:
            os.close(self._keyboard)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()


def run(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    answers: Sequence[tuple[str, str]] = (),
    cwd: Path | None = None,
    stdin: str | None = None,
    pipe_out: bool = False,
    pipe_err: bool = False,
    timeout: float = 120,
) -> Done:
    """Run a command to its end, answering its prompts in this order.

    Args:
        words: The command.
        env: Its whole environment.
        answers: Pairs of a prompt's regular expression and the line to type.
        cwd: Its working directory.
        stdin: Text that it reads from a pipe instead of the terminal.
        pipe_out: Whether its stdout is a pipe.
        pipe_err: Whether its stderr is a pipe.
        timeout: Seconds that each wait may take.

    Raises:
        AssertionError: A prompt did not come, or the command did not end in time.
    """
    with Terminal(
        words,
        env=env,
        cwd=cwd,
        stdin=stdin,
        pipe_out=pipe_out,
        pipe_err=pipe_err,
        timeout=timeout,
    ) as terminal:
        for prompt, line in answers:
            terminal.answer(prompt, line)
        return terminal.finish()
