"""Starts the agent where there is none. Owns the lock that makes it one, and what it inherits.

The lock is the operating system's: the agent inherits it and holds it as long as it lives. It gets
the null device for stdin, stdout and stderr (an SDK would wait for their end) and an environment
with nothing of the caller's but where things are.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from broker.warm import connect, is_private

if TYPE_CHECKING:
    from _socket import socket

SECONDS = 3.0
"""How long an agent may take until it answers."""

SWITCHES = ("-I", "-S", "-P", "-X", "dev")
"""Without site-packages; in dev mode freed memory is overwritten, so no copy outlives `lock`."""

INHERITED = frozenset(
    "PATH HOME USER LOGNAME LANG LC_ALL LC_CTYPE TMPDIR TZ AWSLOGIN_HOME AWSLOGIN_KEYRING"
    " XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS"
    " HTTPS_PROXY HTTP_PROXY NO_PROXY https_proxy http_proxy no_proxy"
    " AWS_CA_BUNDLE REQUESTS_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR".split()
)
"""Variables that the agent keeps, for the children in which it refreshes sessions."""


def started(folder: str, environ: Mapping[str, str] = os.environ) -> socket:
    """A connection to the agent, which is started where there is none.

    Raises:
        OSError: It does not come up, the person has switched it off, or the folder is not ours.
    """
    for part in (os.path.dirname(folder), folder):
        os.makedirs(part, mode=0o700, exist_ok=True)
    if not is_private(folder):
        raise PermissionError(folder)
    until = time.monotonic() + SECONDS
    ours = False
    while time.monotonic() < until:
        lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass  # somebody's agent is up, or about to be
        else:
            if ours:
                break
            _start(folder, lock, environ)
            ours = True
        finally:
            os.close(lock)
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            return connect(folder)
        time.sleep(0.02)
    raise ConnectionRefusedError(folder)


def _start(folder: str, lock: int, environ: Mapping[str, str]) -> None:
    """Start the agent; it closes what it inherits but the lock.

    Raises:
        OSError: It is switched off, or cannot be started.
    """
    idle, life = _ends(environ)
    os.set_inheritable(lock, True)
    null = os.open(os.devnull, os.O_RDWR)
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "process.py")
    command = [sys.executable, *SWITCHES, program, folder, str(idle), str(life), str(lock)]
    try:
        os.posix_spawn(
            sys.executable,
            command,
            {name: value for name, value in environ.items() if name in INHERITED},
            file_actions=[(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)],
        )
    finally:
        os.close(null)


def _ends(environ: Mapping[str, str]) -> tuple[float, float]:
    """Seconds after which the agent ends when nobody asks, and whoever asks; the settings say.

    Raises:
        OSError: They say that there is no agent, or cannot be read here.
    """
    from broker.errors import ConfigError

    try:
        from broker.settings import settings

        found = settings(environ)
    except (ImportError, ConfigError) as error:  # without site-packages the full program reads them
        raise ConnectionRefusedError(str(error)) from error
    if not found.agent:
        raise PermissionError("the agent is off")
    return found.agent_idle, found.agent_life
