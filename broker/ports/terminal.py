"""The controlling terminal, whatever stdin, stdout and stderr are: asked on, and shown on.

Owns how it is opened, read without echo, and written to where stderr is somebody else's.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import IO, TextIO

from broker.errors import UsageError

Terminal = tuple[TextIO, TextIO]


def has_terminal() -> bool:
    """Whether a controlling terminal opens, whatever stdin is."""
    try:
        for stream in open_terminal():
            stream.close()
    except OSError:
        return False
    return True


def open_terminal() -> Terminal:
    """A reader and a writer.

    Raises:
        OSError: There is none.
    """
    if sys.platform == "win32":
        return open("CONIN$", encoding="utf-8"), open("CONOUT$", "w", encoding="utf-8")  # noqa: PTH123
    return open("/dev/tty", encoding="utf-8"), open("/dev/tty", "w", encoding="utf-8")  # noqa: PTH123


def write(terminal: Terminal, text: str) -> None:
    """Write at once."""
    terminal[1].write(text)
    terminal[1].flush()


def read_line(terminal: Terminal, prompt: str, *, secret: bool) -> str:
    """One line, asked for; at the end of input the question is over, not asked again.

    Raises:
        KeyboardInterrupt: The terminal was closed or Ctrl-D was pressed.
        UsageError: It is not UTF-8.
    """
    reader, writer = terminal
    hidden = _without_echo(reader) if secret else contextlib.nullcontext()
    try:
        with hidden:
            write(terminal, prompt)
            line = reader.readline()
    except UnicodeDecodeError as error:
        raise UsageError(
            "what was typed is not UTF-8", hint="set the terminal and LANG to UTF-8"
        ) from error
    if secret:
        writer.write("\n")
        writer.flush()
    if not line:
        raise KeyboardInterrupt
    return line


@contextlib.contextmanager
def _without_echo(reader: TextIO) -> Iterator[None]:
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        handle = msvcrt.get_osfhandle(reader.fileno())
        mode = ctypes.c_ulong()
        kernel = ctypes.windll.kernel32
        if not kernel.GetConsoleMode(handle, ctypes.byref(mode)):
            raise UsageError("the console does not let us hide what is typed")
        kernel.SetConsoleMode(handle, mode.value & ~4)  # ENABLE_ECHO_INPUT
        try:
            yield
        finally:
            kernel.SetConsoleMode(handle, mode.value)
        return
    import termios

    before = termios.tcgetattr(reader.fileno())
    hidden = [*before]
    hidden[3] &= ~termios.ECHO
    with ending_tidily():
        termios.tcsetattr(reader.fileno(), termios.TCSAFLUSH, hidden)
        try:
            yield
        finally:
            termios.tcsetattr(reader.fileno(), termios.TCSAFLUSH, before)


@contextlib.contextmanager
def ending_tidily() -> Iterator[None]:
    """SIGTERM and SIGHUP inside the block end the command as Ctrl-C does, with all tidied up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    import signal

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = {kind: signal.signal(kind, interrupt) for kind in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)


@contextlib.contextmanager
def beside_stderr() -> Iterator[IO[bytes] | None]:
    """The terminal for writing, where stderr is none and so may be kept from the person."""
    if os.isatty(2):
        yield None
        return
    try:
        name = "CONOUT$" if sys.platform == "win32" else "/dev/tty"
        descriptor = os.open(name, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
    except OSError:
        yield None
        return
    with open(descriptor, "wb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor
        yield terminal


def show_beside_stderr(text: str) -> None:
    """Write a line to the terminal, where stderr is none."""
    with beside_stderr() as terminal, contextlib.suppress(OSError):
        if terminal:
            terminal.write(f"{text}\r\n".encode())
