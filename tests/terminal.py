"""Runs `awslogin` with a person at a controlling terminal; stdout and stderr stay pipes."""

from __future__ import annotations

import codecs
import os
import pty
import re
import subprocess
import threading
import time
from collections.abc import Mapping

from tests.support import PATIENCE, Home, Result, readable


class Terminal:
    """A command on a pseudo-terminal. `screen` is what the terminal and stderr have shown."""

    def __init__(
        self, home: Home, *words: str, env: Mapping[str, str | None] | None = None
    ) -> None:
        self._main, tty = pty.openpty()
        self._screen = ""
        self._out = ""
        self._err = ""

        self._process = home.start(*words, env=env, terminal=os.ttyname(tty))
        self._tty = tty
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._read_terminal, daemon=True),
            threading.Thread(target=self._read_pipe, args=("_out",), daemon=True),
            threading.Thread(target=self._read_pipe, args=("_err",), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def screen(self) -> str:
        """All that the person has seen."""
        return self._screen + self._err

    @property
    def asked(self) -> str:
        """What went to the terminal itself: the prompts."""
        return self._screen

    def wait_for(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        """Wait until the person sees this."""
        end = time.monotonic() + timeout
        while not (found := re.search(pattern, self.screen)):
            assert time.monotonic() < end, f"no {pattern!r} on the screen:\n{self.screen}"
            if self._process.poll() is not None and not self._threads[2].is_alive():
                self._read_the_rest()
                end = 0  # what it has not shown by now, it never will
            time.sleep(0.02)
        return found

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        os.write(self._main, text.encode())

    def answer(self, prompt: str, text: str) -> None:
        """Wait for a prompt and answer it."""
        self.wait_for(prompt)
        self.type(text + "\n")

    def finish(self, timeout: float = PATIENCE) -> Result:
        """Wait for the end."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"still running:\n{self.screen}") from None
        self._read_the_rest()
        for thread in self._threads:
            thread.join(PATIENCE)
        os.close(self._main)
        os.close(self._tty)
        return Result(code, self._out, self.screen)

    def hang_up(self, timeout: float = PATIENCE) -> Result:
        """Close the terminal, as a window that is closed; wait for the end."""
        self._read_the_rest()
        os.close(self._main)
        code = self._process.wait(timeout)
        os.close(self._tty)
        return Result(code, self._out, self.screen)

    def _read_the_rest(self) -> None:
        """Take in what the terminal still has to show."""
        self._done.set()
        self._threads[0].join(PATIENCE)

    def _read_terminal(self) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        while True:
            if readable(self._main, 0.03):
                try:
                    self._screen += decode(os.read(self._main, 65536))
                except OSError:
                    return
            elif self._done.is_set():
                return

    def _read_pipe(self, name: str) -> None:
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        pipe = self._process.stdout if name == "_out" else self._process.stderr
        assert pipe
        for chunk in iter(lambda: os.read(pipe.fileno(), 65536), b""):
            setattr(self, name, getattr(self, name) + decode(chunk))
        pipe.close()
