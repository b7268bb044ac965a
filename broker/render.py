"""A session in each `--output` format. Owns quoting; decides nothing and opens only $GITHUB_ENV."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from broker.environment import UNSET, variables
from broker.errors import UsageError
from broker.session import Session
from broker.visible import visible

MACHINE_FORMATS = (
    "json",
    "process",
    "env",
    "fish",
    "powershell",
    "cmd",
    "dotenv",
    "github",
)
"""Formats whose failures are one JSON line on stderr."""


def text(session: Session, now: datetime | None = None) -> str:
    """Who, account, role, until when; never a secret."""
    left = ""
    if session.expires_at:
        left = f"{_local(session.expires_at)} ({_left(session.expires_at, now)} left)"
    lines = [
        ("profile", f"{session.profile} ({session.provider}, {session.type})"),
        ("account", session.account_id),
        ("identity", session.arn),
        ("region", session.region),
        ("until", left or "no end: these are a user's own keys"),
        ("session", "cached" if session.from_cache else "new"),
    ]
    return "".join(f"{name + ':':<10}{visible(value)}\n" for name, value in lines if value)


def process(session: Session) -> str:
    """What `credential_process` hands to an SDK (AWS SDKs and Tools Reference Guide)."""
    document: dict[str, object] = {
        "Version": 1,
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key.reveal(),
    }
    if session.session_token:
        document["SessionToken"] = session.session_token.reveal()
    if session.expires_at:
        document["Expiration"] = session.to_json()["expires_at"]
    if session.account_id:
        document["AccountId"] = session.account_id
    return json.dumps(document) + "\n"


def as_json(sessions: Session | list[Session]) -> str:
    """The contract's object, or an array of them."""
    document = (
        [session.to_json() for session in sessions]
        if isinstance(sessions, list)
        else sessions.to_json()
    )
    return json.dumps(document, indent=2) + "\n"


def sh(session: Session) -> str:
    """For `eval` in sh, bash, zsh and their kin."""
    lines = [f"unset {name}" for name in UNSET]
    lines += [f"export {name}={_sh(value)}" for name, value in variables(session).items()]
    return "\n".join(lines) + "\n"


def fish(session: Session) -> str:
    """For `source` in fish."""
    lines = [f"set -e {name}" for name in UNSET]
    lines += [f"set -gx {name} {_fish(value)}" for name, value in variables(session).items()]
    return "\n".join(f"{line};" for line in lines) + "\n"


def powershell(session: Session) -> str:
    """For `Invoke-Expression` in PowerShell."""
    lines = [f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" for name in UNSET]
    lines += [f"$Env:{name} = {_powershell(value)}" for name, value in variables(session).items()]
    return "\n".join(lines) + "\n"


def cmd(session: Session) -> str:
    """For a batch file or `for /f` in cmd.exe.

    Raises:
        UsageError: A value holds what cmd.exe cannot quote.
    """
    lines = [f'set "{name}="' for name in UNSET]
    lines += [f'set "{name}={_cmd(name, value)}"' for name, value in variables(session).items()]
    return "\n".join(lines) + "\n"


def dotenv(session: Session) -> str:
    """For `.env` readers (docker compose, python-dotenv): single quotes take a value as it is."""
    return "".join(f"{name}={_dotenv(name, value)}\n" for name, value in variables(session).items())


def github(session: Session, environ: Mapping[str, str]) -> str:
    """For GitHub Actions: masks the secrets on stdout, appends all to the file $GITHUB_ENV.

    Raises:
        UsageError: There is no $GITHUB_ENV, or a value holds a newline.
    """
    path = environ.get("GITHUB_ENV")
    if not path:
        raise UsageError(
            "GITHUB_ENV is not set: --output github works in a GitHub Actions step only",
            hint="use --output env elsewhere",
        )
    values = variables(session)
    for name, value in values.items():
        if re.search(r"[\r\n]", value):
            raise UsageError(f"{name} holds a newline, which $GITHUB_ENV cannot take safely")
    with Path(path).open("a", encoding="utf-8") as file:
        file.write("".join(f"{name}={value}\n" for name, value in values.items()))
    secrets = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return "".join(f"::add-mask::{values[name]}\n" for name in secrets if name in values)


SHELLS: dict[str, Callable[[Session], str]] = {
    "process": process,
    "env": sh,
    "fish": fish,
    "powershell": powershell,
    "cmd": cmd,
    "dotenv": dotenv,
}


def one(session: Session, output: str, environ: Mapping[str, str]) -> str:
    """One session in a format."""
    if output == "json":
        return as_json(session)
    if output == "github":
        return github(session, environ)
    return SHELLS[output](session) if output in SHELLS else text(session)


def _sh(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _fish(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _powershell(value: str) -> str:
    return "'" + re.sub("(['‘’‚‛])", r"\1\1", value) + "'"


def _cmd(name: str, value: str) -> str:
    if re.search(r'["\r\n!]', value):
        raise UsageError(f"{name} holds a character that cmd.exe cannot quote")
    return value.replace("%", "%%")


def _dotenv(name: str, value: str) -> str:
    if re.search(r"['\r\n]", value):
        raise UsageError(f"{name} holds a character that .env files cannot quote")
    return f"'{value}'"


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _left(until: datetime, now: datetime | None = None) -> str:
    return duration_words((until - (now or datetime.now(UTC))).total_seconds())


def duration_words(seconds: float) -> str:
    """`1h05m`, `12m`, `40s`; `expired` below zero."""
    if seconds <= 0:
        return "expired"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m" if minutes else f"{rest}s"
