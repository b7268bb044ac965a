"""The full command's side of the agent: hands sessions over, keeps unlocked keys, tells failures.

Owns what is said, not when. An agent that is missing, silent or refuses changes nothing: each call
then does nothing, or finds nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from broker.entry import (
    FORMATS,
    agent_folder,
    connect,
    may_ask_agent,
    receive,
    send,
    socket_path,
)
from broker.errors import ConfigError, UsageError
from broker.file_fingerprint import file_fingerprint
from broker.secret import Secret
from broker.settings import settings

if TYPE_CHECKING:
    from broker.session import Session

REFRESH_AHEAD = 300.0
"""Seconds before a session stops being fresh; at most an eighth of its life."""

STOP_WITHIN = 5.0
"""Seconds that a stopped agent may take to end."""

SHAPING = (
    *("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "CI"),
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "AWSLOGIN_HOME"),
    *("AWSLOGIN_KEYRING", "AWSLOGIN_PASSPHRASE", "PYTHON_KEYRING_BACKEND", "AWSLOGIN_USERNAME"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"),
    *(f"AWS_ENDPOINT_URL_{name}" for name in ("STS", "SSO", "SSO_OIDC", "IAM", "SIGNIN")),
)
"""Variables that shape a session, or say where it is kept, whether they were looked at or not."""


class Door:
    """One way of asking for a session: what the agent must know to answer there the next time.

    Args:
        place: How the config was found, and its path (`broker.entry.place_of`).
        profile: The profile's name.
        stamps: The files that were read, with their stamps from before.
        proven: Whether the stamps can tell that nothing has changed.
        variables: What was looked at in the environment, and found; None for what is not set.
    """

    def __init__(
        self,
        place: tuple[str, str],
        profile: str,
        stamps: Mapping[str, bytes],
        variables: Mapping[str, str | None],
        *,
        proven: bool,
    ) -> None:
        self.place = place
        self.profile = profile
        self.stamps = stamps
        self.variables = variables
        self.proven = proven


class Agent:
    """This user's agent.

    Args:
        environ: Says where it lies, and whether it may be asked.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._may_start = True
        self._folder = agent_folder(environ)
        self._identity = _identity(environ)

    def recall(self, name: str) -> Secret | None:
        """A key that another command has unlocked."""
        reply = self._call(b"recall", self._name(name))
        return Secret(reply[1].decode()) if reply[:1] == [b"kept"] else None

    def keep(self, name: str, value: Secret) -> None:
        """Keep an unlocked key, until `lock` or until nobody has asked for long."""
        self._call(b"keep", self._name(name), value.reveal().encode())

    def declare(self, door: Door, key: str) -> None:
        """Say which session is asked for at a door: others that ask there may wait for ours."""
        how, path = door.place
        files = [part for file, told in door.stamps.items() for part in (os.fsencode(file), told)]
        values: list[bytes] = []
        for name, value in door.variables.items():
            values += [os.fsencode(name), b"-" if value is None else b"+" + os.fsencode(value)]
        lasting = b"lasting" if door.proven else b"passing"
        place = (how.encode(), os.fsencode(path), door.profile.encode())
        self._call(b"declare", *place, key.encode(), lasting, *files, b"", *values)

    def put(self, key: str, session: Session, *, sign_in: str, file: Path | None) -> None:
        """Hand over a session in every format.

        Args:
            key: Names it.
            session: It.
            sign_in: Names the sign-in it came from.
            file: Where it lies at rest: the agent holds it as long as that is as it is now. None
                for one that is not kept: it is for those who wait alone.
        """
        if session.expires_at is None:
            return
        end = session.expires_at.timestamp()
        life = end - session.issued_at.timestamp()
        fresh_until = end - min(900.0, life / 2)
        refresh_at = fresh_until - min(REFRESH_AHEAD, life / 8)
        self._call(
            b"put",
            key.encode(),
            sign_in.encode(),
            session.profile.encode(),
            os.fsencode(file) if file else b"",
            file_fingerprint(str(file)) if file else b"",
            b"%f" % fresh_until,
            b"%f" % refresh_at,
            b"%f" % end,
            *_rendered(session),
        )

    def endpoint(self, key: str) -> dict[str, str]:
        """The variables that lead an SDK to the session that lies under a key; one is a secret.

        Raises:
            UsageError: There is no agent here.
        """
        reply = [part.decode() for part in self._call(b"endpoint", key.encode())]
        if not reply:
            raise UsageError(
                "there is no agent to serve the session",
                hint="`awslogin agent start`, or `awslogin exec PROFILE --server -- CMD…`",
            )
        return dict(zip(reply[1::2], reply[2::2], strict=True))

    def failed(self, code: int, line: str) -> None:
        """Tell those who wait for this process what became of it."""
        self._call(b"failed", str(code).encode(), line.encode(), start=False)

    def forget(self, sign_in: str = "", profile: str = "") -> None:
        """Drop the sessions of a sign-in and profile, or all; also where no agent may be asked."""
        self._tell(b"forget", sign_in.encode(), profile.encode())

    def status(self) -> dict[str, object]:
        """`running`, `pid`, `socket`, and how many fresh `sessions` it holds."""
        place = os.path.join(self._folder, "socket")
        with contextlib.suppress(OSError):
            place = socket_path(self._folder)
        reply = self._tell(b"status")
        pid, sessions = (int(part) for part in reply[1:]) if reply else (None, 0)
        return {"running": bool(reply), "pid": pid, "socket": place, "sessions": sessions}

    def start(self) -> bool:
        """Start it where there is none; whether it is up. Never on Windows."""
        if os.name != "posix":
            return False
        from broker.agent.start import started

        try:
            started(self._folder, self._environ).close()
        except OSError:
            return False
        return True

    def lock(self) -> bool:
        """Wipe all it holds; whether there was one."""
        return bool(self._tell(b"lock"))

    def stop(self) -> bool:
        """End it, and wait until it has; whether there was one."""
        found = bool(self._tell(b"stop"))
        until = time.monotonic() + STOP_WITHIN
        while found and self._tell(b"status") and time.monotonic() < until:
            time.sleep(0.02)
        return found

    @cached_property
    def _may_ask(self) -> bool:
        """Whether one is asked; where the person has switched it off, one that runs is ended."""
        if not may_ask_agent(self._environ):
            return False
        try:
            wanted = settings(self._environ).agent
        except ConfigError:
            wanted = False
        if not wanted:
            self._tell(b"stop")
        return wanted

    def _call(self, *fields: bytes, start: bool = True) -> list[bytes]:
        """An agent's reply, or nothing where none may be asked."""
        if not self._may_ask:
            return []
        reply = self._tell(*fields)
        if not reply and start and self._may_start:
            self._may_start = False
            reply = self._tell(*fields) if self.start() else []
        return reply

    def _tell(self, *fields: bytes) -> list[bytes]:
        """The reply of the agent that runs, or nothing."""
        if os.name != "posix":
            return []
        try:
            link = connect(self._folder)
        except OSError:
            return []
        try:
            send(link, *fields)
            return receive(link)
        except TimeoutError:  # it hangs: this command goes on without it
            self._may_ask = False
            return []
        except (OSError, ValueError):
            return []
        finally:
            link.close()

    def _name(self, name: str) -> bytes:
        return f"{name}/{self._identity}".encode()


def _identity(environ: Mapping[str, str]) -> str:
    """Which keychain an environment opens, and with which passphrase, as something else than it."""
    names = ("AWSLOGIN_KEYRING", "PYTHON_KEYRING_BACKEND", "AWSLOGIN_PASSPHRASE")
    told = "\0".join(f"{name}={environ.get(name)}" for name in names)
    return hashlib.sha256(told.encode()).hexdigest()


def _rendered(session: Session) -> list[bytes]:
    """Each format's name and the bytes that a later command prints."""
    from broker import render

    parts: list[bytes] = []
    for form in FORMATS:
        with contextlib.suppress(UsageError):  # a value that this format cannot quote
            parts += [form.encode(), render.one(session.cached(), form, {}).encode()]
    return [*parts, b"container", render.container(session)]
