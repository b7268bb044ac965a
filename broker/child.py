"""A child that we stay the parent of: its signals, its exit code.

Owns the waiting; not what the child is given. What the terminal sends (Ctrl-C) reaches parent and
child alike, so it is not sent on a second time: terraform takes two for "at once". What is sent to
us alone is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn, TypeVar

from broker import hardening

T = TypeVar("T")

SENT_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")


@contextmanager
def signals_held() -> Iterator[set[int]]:
    """The signals that are sent on wait while the block runs: what it makes, it also clears away.

    Gives the mask of before, which is the child's.
    """
    if sys.platform == "win32":
        yield set()
        return
    signal.signal(signal.SIGCHLD, lambda *_: None)  # an ignored one would not be reported
    before: set[int] = signal.pthread_sigmask(signal.SIG_BLOCK, _watched())
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    mask: set[int],
    meanwhile: Callable[[], object] = lambda: None,
) -> int:
    """Run a command to its end; its exit code, 128 and the signal's number where one ended it.

    Args:
        command: The command and its arguments.
        environ: The child's whole environment.
        mask: What `signals_held`, in whose block this is called, gave.
        meanwhile: Called once, when the child runs: threads that are to work beside it start here,
            so that none of them takes a signal that is the child's.

    Raises:
        OSError: The command is missing or cannot be run.
    """
    if sys.platform == "win32":
        return _run_on_windows(command, environ, meanwhile)

    def spawn(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(arguments),
            env=dict(environ),
            close_fds=False,
            preexec_fn=_in_the_child(mask),  # noqa: PLW1509 - no thread runs yet
        )

    child = _as_shells_do(spawn, command, environ)
    meanwhile()
    child.returncode = _wait(child.pid)
    return child.returncode


def _in_the_child(mask: set[int]) -> Callable[[], None]:
    """What is done between fork and exec; no thread has been started yet.

    On Linux the kernel sends the child SIGTERM should we be killed: without us there is nobody to
    serve its session. prctl(2): it is our main thread whose end counts.
    """
    parent = os.getpid()
    hardening.prctl(hardening.PR_SET_DUMPABLE, 0)  # loads what the child may not load any more

    def prepare() -> None:
        hardening.give_back()
        hardening.prctl(hardening.PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return prepare


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by a command.

    Raises:
        OSError: The command is missing or cannot be run.
    """
    give_signals_back()

    def replace(arguments: Sequence[str]) -> NoReturn:
        os.execvpe(arguments[0], list(arguments), environ)

    _as_shells_do(replace, command, environ)
    raise AssertionError


def _as_shells_do(
    start: Callable[[Sequence[str]], T], command: Sequence[str], environ: Mapping[str, str]
) -> T:
    """Start a command; a file that names no interpreter is a script of the plain shell."""
    try:
        return start(command)
    except OSError as error:
        script = shutil.which(command[0], path=environ.get("PATH"))
        if error.errno != errno.ENOEXEC or not script:
            raise
        return start(["/bin/sh", script, *command[1:]])


def give_signals_back() -> None:
    """Python ignores these at start; a command that we become expects the system's own way.

    So with the limit of a core dump.
    """
    hardening.give_back()
    for name in _IGNORED_BY_PYTHON:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


def _wait(child: int) -> int:
    while True:
        number, from_terminal = _next_signal(_watched())
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
        elif not from_terminal:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)


def _watched() -> set[int]:
    return {getattr(signal, name) for name in SENT_ON} | {signal.SIGCHLD}


def _next_signal(watched: set[int]) -> tuple[int, bool]:
    """The next signal, and whether the kernel sent it to the whole foreground group."""
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(watched)
        return info.si_signo, info.si_code > 0
    number = signal.sigwait(watched)  # macOS does not say who sent it
    return number, number in {signal.SIGINT, signal.SIGQUIT} and _in_foreground()


def _in_foreground() -> bool:
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123 - a device
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _run_on_windows(
    command: Sequence[str], environ: Mapping[str, str], meanwhile: Callable[[], object]
) -> int:
    with subprocess.Popen(list(command), env=dict(environ)) as child:
        meanwhile()
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the console sends it to the child too
                return child.wait()
