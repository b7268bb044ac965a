"""Another program, run for what it prints. Owns its time, its size and what of ours it sees.

The program shares our terminal and our stderr: it may have to ask the person something. Where
stderr is no terminal, what it says goes to the terminal too: an SDK shows our stderr to nobody.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from broker.ports.terminal import beside_stderr

MAX_OUTPUT_BYTES = 1 << 20
LAST_WORDS_SECONDS = 1.0
"""For what is in the pipe when the program has ended: a child of its own may hold it open."""
_OWN_SECRETS = ("PASSWORD", "MFA_CODE", "PASSPHRASE", "CLIENT_SECRET", "AGENT_TOKEN")


class OutputTooLongError(Exception):
    """It printed more than was allowed, and was killed."""


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        code: Its exit code; negative where a signal ended it.
        output: All that it printed on stdout.
    """

    code: int
    output: bytes


def is_own_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret for awslogin itself."""
    return name.startswith("AWSLOGIN_") and any(part in name for part in _OWN_SECRETS)


def run_for_output(
    command: Sequence[str] | str,
    environ: Mapping[str, str],
    *,
    seconds: float,
    max_bytes: int = MAX_OUTPUT_BYTES,
    folder: Path | None = None,
) -> Ended:
    """Run a program without a shell, in an environment without awslogin's own secrets.

    Args:
        command: The program and its arguments; on Windows a command line too.
        environ: The person's environment.
        seconds: What it may take.
        max_bytes: What it may print.
        folder: Where it runs; None is the working directory.

    Raises:
        OSError: It is missing or cannot be run.
        TimeoutError: It took too long, and was killed.
        OutputTooLongError: It printed too much, and was killed.
    """
    process = subprocess.Popen(
        command if isinstance(command, str) else list(command),
        cwd=folder,
        env={name: value for name, value in environ.items() if not is_own_secret(name)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None if os.isatty(2) else subprocess.PIPE,
    )
    printed = bytearray()

    def read() -> None:
        assert process.stdout
        with process.stdout as pipe:
            while len(printed) <= max_bytes:
                more = os.read(pipe.fileno(), 65536)
                if not more:
                    return
                printed.extend(more)
        process.kill()

    readers = [threading.Thread(target=read, daemon=True)]
    if process.stderr:
        readers.append(threading.Thread(target=_relay, args=(process.stderr,), daemon=True))
    for reader in readers:
        reader.start()
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise TimeoutError(command[0]) from None
    finally:
        process.kill()  # Ctrl-C here must not leave it behind
        process.wait()
    for reader in readers:
        reader.join(LAST_WORDS_SECONDS)
    if len(printed) > max_bytes:
        raise OutputTooLongError(command[0])
    return Ended(code, bytes(printed))


def _relay(stderr: IO[bytes]) -> None:
    """Hand a program's stderr on to ours and to the terminal, as it is written."""
    with stderr, beside_stderr() as terminal:
        while more := os.read(stderr.fileno(), 65536):
            with contextlib.suppress(OSError):
                os.write(2, more)
            with contextlib.suppress(OSError):
                if terminal:
                    terminal.write(more)
