"""This machine's own log of sign-ins: one file a day, one JSON line an event, no secret in it.

A line is appended in one write, so any number of commands may write at once and none waits for a
lock. A line that a killed command left torn is passed over. Old days go as whole files.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal

from broker.errors import AwsLoginError, ConfigError, LoginRefused, RoleRefused
from broker.identity import Identity
from broker.paths import private_dir, state_dir
from broker.ports.clock import Clock, from_text, to_text
from broker.private_opener import private_opener
from broker.session import Session
from broker.settings import settings

What = Literal["sign-in", "exec", "rotation", "migration"]
KINDS: tuple[What, ...] = ("sign-in", "exec", "rotation", "migration")
MAX_LINE_BYTES = 4096
"""A longer one is no event: writes of this size to a file are whole."""
COUNTED_BYTES = 1 << 20
"""As many of the newest events say what is used most: some 4,000."""
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_NOT_NOTED = {"interaction_required", "config", "usage"}
"""Failures of which an SDK makes many a minute while nobody signs in."""


@dataclass(frozen=True)
class Event:
    """What was done from here.

    Attributes:
        at: When, UTC.
        what: Of `KINDS`.
        profile: The profile's name.
        provider: The provider's name in the YAML.
        type: Its type.
        account_id: 12 digits, or None where it is not known.
        arn: The principal, or None likewise.
        mfa: Whether a code of an MFA device went along; None where the provider does not say.
        outcome: `ok`, `refused` or `failed`.
        error_code: Of a failure, its code word.
        command: Of `exec`: the program's name alone.
    """

    at: str
    what: What
    profile: str
    provider: str | None = None
    type: str | None = None
    account_id: str | None = None
    arn: str | None = None
    mfa: bool | None = None
    outcome: Literal["ok", "refused", "failed"] = "ok"
    error_code: str | None = None
    command: str | None = None


_USUAL = asdict(Event("", "exec", ""))
"""Every field with its default, for lines that an older awslogin wrote."""


class EventLog:
    """The log below the state folder.

    Args:
        environ: Says where it lies.
        clock: Says what time it is.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock | None = None) -> None:
        self._environ = environ
        self._clock = clock or Clock()
        self.folder = state_dir(environ) / "events"

    def note(self, what: What, profile: str, **facts: Any) -> None:
        """Write an event down; where that fails, or the person wants none, nothing happens."""
        with contextlib.suppress(OSError, ConfigError):
            chosen = settings(self._environ)
            if chosen.events:
                now = self._clock.now()
                event = Event(at=to_text(now), what=what, profile=profile, **facts)
                self._append(now.date(), json.dumps(asdict(event)).encode())
                self._prune(now.date() - timedelta(days=chosen.events_days))

    def note_sign_in(self, identity: Identity, session: Session) -> None:
        """Write down that a profile has got a new session."""
        facts = _facts(identity) | {"account_id": session.account_id, "arn": session.arn}
        self.note("sign-in", session.profile, **facts)

    def note_failure(self, identity: Identity, error: AwsLoginError) -> None:
        """Write down that a sign-in was refused, or failed for another reason."""
        if error.code in _NOT_NOTED:
            return
        profile = identity.profile
        facts = _facts(identity) | {"account_id": profile.account, "error_code": error.code}
        refused = isinstance(error, LoginRefused | RoleRefused)
        self.note("sign-in", profile.name, outcome="refused" if refused else "failed", **facts)

    def read(self, since: datetime | None = None) -> Iterator[dict[str, Any]]:
        """The events from then on, in the order in which they were written; torn lines left out."""
        for path in sorted(self._files()):
            if since and path.stem < since.date().isoformat():
                continue
            with contextlib.suppress(OSError), _opened(path) as file:
                for line in file:
                    event = _event(line)
                    if event and (since is None or from_text(event["at"]) >= since):
                        yield event

    def uses(self) -> Counter[str]:
        """How often each profile was signed in to or ran a command, as far as the newest say."""
        counted: Counter[str] = Counter()
        left = COUNTED_BYTES
        for path in sorted(self._files(), reverse=True):
            with contextlib.suppress(OSError), _opened(path) as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size - left))
                events = (_event(line) for line in file.read(left).splitlines())
                counted.update(
                    str(event.get("profile"))
                    for event in events
                    if event and event.get("outcome") == "ok"
                )
                left -= size
            if left <= 0:
                break
        return counted

    def _append(self, day: date, line: bytes) -> None:
        if len(line) >= MAX_LINE_BYTES:
            return
        private_dir(self.folder)
        path = self.folder / f"{day.isoformat()}.jsonl"
        handle = private_opener(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            size = os.fstat(handle).st_size
            torn = size and os.pread(handle, 1, size - 1) != b"\n" if os.name == "posix" else False
            os.write(handle, (b"\n" if torn else b"") + line + b"\n")
        finally:
            os.close(handle)

    def _prune(self, oldest: date) -> None:
        for path in self._files():
            if path.stem < oldest.isoformat():
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return list(self.folder.glob("????-??-??.jsonl"))


def _facts(identity: Identity) -> dict[str, Any]:
    """What an event says of the provider, and whether an MFA device's code went along."""
    root = identity.profile.root
    mfa = root.mfa_serial is not None if root.keys_profile else None
    return {"provider": identity.spec.name, "type": identity.spec.type, "mfa": mfa}


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A day's file; what else stands in its place, such as a pipe that nobody writes to, is none.

    Raises:
        OSError: It cannot be read, is a link, or is no file.
    """
    with open(path, "rb", opener=lambda name, how: private_opener(name, how | _NO_WAIT)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no file")
        yield file


def _event(line: bytes) -> dict[str, Any] | None:
    """The event in a line, with all its fields, or None where it is torn or somebody else's."""
    try:
        event = json.loads(line)
        from_text(event["at"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None
    if event.get("what") not in KINDS or not isinstance(event.get("profile"), str):
        return None
    known = {name: value for name, value in event.items() if isinstance(value, str | bool)}
    return {name: known.get(name, usual) for name, usual in _USUAL.items()}
