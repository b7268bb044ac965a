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
from typing import TYPE_CHECKING, Any, TypeVar

from broker import warm
from broker.agent import messages
from broker.agent.frozen import killed
from broker.errors import ConfigError, UsageError
from broker.file_fingerprint import file_fingerprint
from broker.sealing_key import KEY_NAME
from broker.secret import Secret
from broker.settings import settings
from broker.warm import (
    FORMATS,
    agent_folder,
    connect,
    may_ask_agent,
    receive,
    send,
    socket_path,
)

if TYPE_CHECKING:
    from broker.credentials import RoleParameters
    from broker.session import Session

REFRESH_AHEAD = 300.0
"""Seconds before a session stops being fresh; at most an eighth of its life."""

PATIENCE = 1.5
"""Seconds for an answer; one that is late is the last that is waited for in this process."""
STOP_WITHIN = 5.0
"""Seconds that a stopped agent may take to end."""

M = TypeVar("M")

_silent: set[str] = set()
"""Folders of agents that did not answer in time."""

LENT = "AWSLOGIN_AGENT_TOKEN"
"""Lets a child that is given no passphrase have the sealing key of its parent."""

SHAPING = (
    *("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "CI"),
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "AWSLOGIN_HOME"),
    *("AWSLOGIN_KEYRING", "AWSLOGIN_PASSPHRASE", "PYTHON_KEYRING_BACKEND", "AWSLOGIN_USERNAME"),
    LENT,
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"),
    *(f"AWS_ENDPOINT_URL_{name}" for name in ("STS", "SSO", "SSO_OIDC", "IAM", "SIGNIN")),
)
"""Variables that shape a session, or say where it is kept, whether they were looked at or not."""


class AgentClient:
    """This user's agent.

    Args:
        environ: Says where it lies, and whether it may be asked.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._may_start = True
        self._may_hold = True
        self._folder = agent_folder(environ)
        self._identity = _identity(environ)

    def recall(self, name: str) -> Secret | None:
        """A key that another command has unlocked."""
        found = self._ask(messages.Recall(self._name(name)), messages.Recalled)
        return Secret(found.value.decode()) if found and found.value else None

    def keep(self, name: str, value: Secret) -> None:
        """Keep an unlocked key, until `lock` or until nobody has asked for long."""
        self._ask(messages.Keep(self._name(name), value.reveal().encode()))

    def for_child(self) -> dict[str, str]:
        """What lets a child, which gets no passphrase, have the sessions that this command has."""
        if not self._environ.get("AWSLOGIN_PASSPHRASE"):
            return {}
        lent = self._ask(messages.Lend(self._name(KEY_NAME)), messages.Lent)
        return {LENT: lent.token.decode()} if lent and lent.token else {}

    def hold_nothing(self) -> None:
        """From now on the agent is given no session of this command's."""
        self._may_hold = False

    def declare(self, declared: messages.Declare) -> None:
        """Say what is asked for: others that ask for the same may wait for ours."""
        self._ask(declared)

    def put(
        self,
        session_id: str,
        session: Session,
        asked: RoleParameters,
        *,
        sign_in_id: str,
        file: Path | None,
    ) -> None:
        """Hand over a session in every format.

        Args:
            session_id: Names it.
            session: It.
            asked: What it was got for: a person reads more of it than the session tells.
            sign_in_id: Names the sign-in it came from.
            file: Where it lies at rest: the agent holds it as long as that is as it is now. None
                for one that is not kept: it is for those who wait alone.
        """
        if session.expires_at is None or not self._may_hold:
            return
        end = session.expires_at.timestamp()
        life = end - session.issued_at.timestamp()
        fresh_until = end - min(900.0, life / 2)
        self._ask(
            messages.Put(
                session_id=session_id.encode(),
                sign_in_id=sign_in_id.encode(),
                profile=session.profile.encode(),
                file=os.fsencode(file) if file else b"",
                fingerprint=file_fingerprint(str(file)) if file else b"",
                fresh_until=fresh_until,
                refresh_at=fresh_until - min(REFRESH_AHEAD, life / 8),
                expires_at=end,
                texts=_rendered(session, asked),
            )
        )

    def endpoint(self, session_id: str) -> dict[str, str]:
        """The variables that lead an SDK to a session; one is a secret.

        Raises:
            UsageError: There is no agent here.
        """
        served = self._ask(messages.Endpoint(session_id.encode()), messages.Served)
        if not served:
            raise UsageError(
                "there is no agent to serve the session",
                hint="`awslogin agent start`, or `awslogin exec PROFILE --server -- CMD…`",
            )
        return {name.decode(): value.decode() for name, value in served.variables.items()}

    def holds(self, session_id: str) -> bool:
        """Whether an agent that runs holds a fresh session; none is started for it."""
        asked = messages.encode(messages.Held(session_id.encode()))
        held = _decoded(messages.Holding, self._call(asked, start=False))
        return bool(held and held.fresh)

    def failed(self, code: int, line: str) -> None:
        """Tell those who wait for this process what became of it."""
        failure = messages.Failed(str(code).encode(), line.encode())
        self._call(messages.encode(failure), start=False)

    def forget(self, sign_in_id: str = "", profile: str = "") -> None:
        """Drop the sessions of a sign-in and profile, or all; also where no agent may be asked."""
        self._tell(messages.encode(messages.Forget(sign_in_id.encode(), profile.encode())))

    def status(self) -> dict[str, object]:
        """`running`, `pid`, `socket`, and how many fresh `sessions` it holds."""
        place = os.path.join(self._folder, "socket")
        with contextlib.suppress(OSError):
            place = socket_path(self._folder)
        found = _decoded(messages.Running, self._tell([b"status"]))
        pid, sessions = (int(found.pid), int(found.sessions)) if found else (None, 0)
        return {"running": bool(found), "pid": pid, "socket": place, "sessions": sessions}

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
        return bool(self._tell([b"lock"]))

    def stop(self) -> bool:
        """End it, and wait until it has; one that hangs is killed. Whether there was one."""
        found = self._stop()
        if not found and self._is_silent:
            _silent.discard(self._folder)
            warm.agent_is_silent = False
            return killed(self._folder)
        return found

    def _stop(self) -> bool:
        """End one that answers, and wait until it has; whether there was one."""
        found = bool(self._tell([b"stop"]))
        until = time.monotonic() + STOP_WITHIN
        while found and self._tell([b"status"]) and time.monotonic() < until:
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
            self._tell([b"stop"])
        return wanted

    def _ask(self, message: Any, kind: type[M] | None = None) -> M | None:
        """The agent's answer; None where none may be asked, or it is not of that kind."""
        reply = self._call(messages.encode(message))
        return _decoded(kind, reply) if kind else None

    def _call(self, fields: list[bytes], *, start: bool = True) -> list[bytes]:
        """An agent's reply, or nothing where none may be asked; it is started once, if need be."""
        if not self._may_ask:
            return []
        reply = self._tell(fields)
        if not reply and start and self._may_start and not self._is_silent:
            self._may_start = False
            self._stop()  # one that runs and has not understood us is of another version
            reply = self._tell(fields) if self.start() else []
        return reply

    @property
    def _is_silent(self) -> bool:
        return warm.agent_is_silent or self._folder in _silent

    def _tell(self, fields: list[bytes]) -> list[bytes]:
        """The reply of the agent that runs, or nothing."""
        if os.name != "posix" or self._is_silent:
            return []
        try:
            link = connect(self._folder)
        except OSError:
            return []
        try:
            link.settimeout(PATIENCE)
            send(link, *fields)
            return receive(link)
        except TimeoutError:  # it hangs: this process goes on without it
            _silent.add(self._folder)
            return []
        except (OSError, ValueError):
            return []
        finally:
            link.close()

    def _name(self, name: str) -> bytes:
        lent = self._environ.get(LENT)
        if lent and not self._environ.get("AWSLOGIN_PASSPHRASE"):
            return f"{name}/lent/{lent}".encode()
        return f"{name}/{self._identity}".encode()


def _identity(environ: Mapping[str, str]) -> str:
    """Which keychain an environment opens, and with which passphrase, as something else than it."""
    names = ("AWSLOGIN_KEYRING", "PYTHON_KEYRING_BACKEND", "AWSLOGIN_PASSPHRASE")
    values = "\0".join(f"{name}={environ.get(name)}" for name in names)
    return hashlib.sha256(os.fsencode(values)).hexdigest()


def _decoded(kind: type[M], reply: list[bytes]) -> M | None:
    """The reply, if it is of this kind; an agent of another version may answer otherwise."""
    try:
        return messages.decode(kind, reply)
    except ValueError:
        return None


def _rendered(session: Session, asked: RoleParameters) -> dict[bytes, bytes]:
    """The bytes that a later command prints, by format."""
    from broker import render

    texts = {b"container": render.container(session)}
    for_people = render.text_to_fill(session.cached(), asked)
    if for_people.isascii():  # else a terminal's encoding has a say
        texts[b"text"] = for_people.encode()
    for form in FORMATS:
        with contextlib.suppress(UsageError):  # a value that this format cannot quote
            texts[form.encode()] = render.in_format(session.cached(), form, {}).encode()
    return texts
