"""A child that we stay the parent of: its signals, its exit code.

Owns the waiting; not what the child is given. What the terminal sends (Ctrl-C) reaches parent and
child alike, so it is not sent on a second time: terraform takes two for "at once". What is sent to
us alone is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

SENT_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")


def run(
    words: Sequence[str],
    environ: Mapping[str, str],
    meanwhile: Callable[[], object] = lambda: None,
) -> int:
    """Run a command to its end; its exit code, 128 and the signal's number where one ended it.

    Args:
        words: The command and its arguments.
        environ: The child's whole environment.
        meanwhile: Called once, when the child runs: threads that are to work beside it start here,
            so that none of them takes a signal that is the child's.

    Raises:
        OSError: The command is missing or cannot be run.
    """
    if sys.platform == "win32":
        return _run_on_windows(words, environ, meanwhile)
    watched = {getattr(signal, name) for name in SENT_ON} | {signal.SIGCHLD}
    signal.signal(signal.SIGCHLD, lambda *_: None)  # an ignored one would not be reported
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        child = os.posix_spawnp(
            words[0],
            list(words),
            dict(environ),
            setsigmask=before,
            setsigdef=[getattr(signal, name) for name in _IGNORED_BY_PYTHON],
        )
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    meanwhile()
    return _wait(child, watched)


def give_signals_back() -> None:
    """Python ignores these at start; a command that we become expects the system's own way."""
    for name in _IGNORED_BY_PYTHON:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


def _wait(child: int, watched: set[signal.Signals]) -> int:
    """Until the child ends. The signals stay blocked, so that what we clean up is cleaned up."""
    while True:
        number, from_terminal = _next_signal(watched)
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
        elif not from_terminal:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)


def _next_signal(watched: set[signal.Signals]) -> tuple[int, bool]:
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
    words: Sequence[str], environ: Mapping[str, str], meanwhile: Callable[[], object]
) -> int:
    import subprocess

    with subprocess.Popen(list(words), env=dict(environ)) as child:
        meanwhile()
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the console sends it to the child too
                return child.wait()
