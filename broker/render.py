"""A session in each `--output` format. Owns quoting; decides nothing and opens only $GITHUB_ENV."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import BinaryIO

from broker import time_left
from broker.arn import account_of
from broker.credentials import RoleParameters
from broker.environment import NARROWED, for_shell, variables
from broker.errors import UsageError
from broker.private_opener import private_opener
from broker.session import Session
from broker.terminal_text import escape_controls


def text(session: Session, asked: RoleParameters | None = None, now: datetime | None = None) -> str:
    """Who, account, role, until when; never a secret."""
    return time_left.filled(text_to_fill(session, asked), now.timestamp() if now else None)


def text_to_fill(session: Session, asked: RoleParameters | None = None) -> str:
    """The same for later: `time_left.filled` tells the end as of then."""
    end = session.expires_at
    later = f"not told by the sign-in; `awslogin whoami {session.profile}` asks AWS"
    lines = [
        ("profile", f"{session.profile} ({session.provider}, {session.type})"),
        ("account", session.account_id or account_of(asked.mfa_serial if asked else None) or later),
        ("identity", session.arn or later),
        ("role", _role(session, asked)),
        ("region", session.region),
        ("until", "no end: these are a user's own keys"),
        ("session", "cached" if session.from_cache else "new"),
    ]
    shown = {name: escape_controls(value) for name, value in lines if value}
    if end:
        shown["until"] = time_left.marked(end.timestamp())
    return "".join(f"{name + ':':<10}{value}\n" for name, value in shown.items())


def _role(session: Session, asked: RoleParameters | None) -> str:
    """The role's name with its path, as far as it is known; "none" for a user's own session."""
    named = asked and (asked.role or (asked.role_arn or "").partition(":role/")[2])
    in_arn = re.search(r":assumed-role/([^/]+)/", session.arn or "")
    return named or (in_arn[1] if in_arn else "none")


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


def container(session: Session) -> bytes:
    """What a container endpoint answers (AWS SDKs Reference Guide, "Container credentials")."""
    document = {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key.reveal(),
        "Token": session.session_token.reveal() if session.session_token else "",
        "Expiration": session.to_json()["expires_at"],
    }
    if session.account_id:
        document["AccountId"] = session.account_id
    return json.dumps(document).encode()


def as_json(sessions: Session | list[Session]) -> str:
    """The contract's object, or an array of them."""
    document = (
        [session.to_json() for session in sessions]
        if isinstance(sessions, list)
        else sessions.to_json()
    )
    return json.dumps(document, indent=2) + "\n"


def sh(session: Session) -> str:
    """For `eval` in sh, bash, zsh and their kin, its argument quoted or not."""
    return _in_sh(*for_shell(session))


def fish(session: Session) -> str:
    """For `source` or `eval` in fish."""
    return _in_fish(*for_shell(session))


def powershell(session: Session) -> str:
    """For `Invoke-Expression` in PowerShell, which a pipe gives line after line."""
    return _in_powershell(*for_shell(session))


def cmd(session: Session) -> str:
    """For a batch file in cmd.exe.

    Raises:
        UsageError: A value holds what cmd.exe cannot quote.
    """
    return _in_cmd(*for_shell(session))


def served(session: Session, endpoint: Mapping[str, str], output: str) -> str:
    """A shell's variables for an endpoint that serves the session; keys would win over it.

    Raises:
        UsageError: The format is not a shell's.
    """
    if output not in _SCRIPTS:
        raise UsageError(f"--server takes {', '.join(_SCRIPTS)}, not --output {output}")
    stale, values = for_shell(session)
    unserved = {name: values.pop(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION")}
    unserved |= {
        name: values.pop(name) for name in ("AWSLOGIN_PROFILE", NARROWED) if name in values
    }
    old = [name for name in (*stale, *values) if name not in endpoint]
    return _SCRIPTS[output](old, {**endpoint, **unserved})


def _in_sh(unset: Iterable[str], values: Mapping[str, str]) -> str:
    lines = [f"unset {name}" for name in unset]
    lines += [f"export {name}={_sh(value)}" for name, value in values.items()]
    return "".join(f"{line};\n" for line in lines)


def _in_fish(unset: Iterable[str], values: Mapping[str, str]) -> str:
    lines = [f"set -e {name}; or true" for name in unset]  # one that is not set is status 4
    lines += [f"set -gx {name} {_fish(value)}" for name, value in values.items()]
    return "".join(f"{line};\n" for line in lines)


def _in_powershell(unset: Iterable[str], values: Mapping[str, str]) -> str:
    lines = [f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" for name in unset]
    lines += [f"$Env:{name} = {_powershell(value)}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def _in_cmd(unset: Iterable[str], values: Mapping[str, str]) -> str:
    lines = [f'set "{name}="' for name in unset]
    lines += [f'set "{name}={_cmd(name, value)}"' for name, value in values.items()]
    return "\n".join(lines) + "\n"


def _in_dotenv(_: Iterable[str], values: Mapping[str, str]) -> str:
    return "".join(f"{name}={_dotenv(name, value)}\n" for name, value in values.items())


_SCRIPTS: dict[str, Callable[[Iterable[str], Mapping[str, str]], str]] = {
    "env": _in_sh,
    "fish": _in_fish,
    "powershell": _in_powershell,
    "cmd": _in_cmd,
    "dotenv": _in_dotenv,
}


def dotenv(session: Session) -> str:
    """For `.env` readers; `docker run --env-file` knows no quotes, so there are few."""
    return _in_dotenv((), variables(session))


def github(session: Session, environ: Mapping[str, str]) -> str:
    """For GitHub Actions: masks the secrets on stdout, appends all to the file $GITHUB_ENV.

    Source: GitHub docs, "Workflow commands"; a command's value escapes `%` and line ends.

    Raises:
        UsageError: There is no $GITHUB_ENV, or it cannot be written.
    """
    path = environ.get("GITHUB_ENV")
    if not path:
        raise UsageError(
            "GITHUB_ENV is not set: --output github works in a GitHub Actions step only",
            hint="use --output env elsewhere",
        )
    values = variables(session)
    text = "".join(_github(name, value) for name, value in values.items())
    try:
        with open(path, "a+b", opener=private_opener) as file:
            file.write(_line_end_missing(file) + text.encode())
    except OSError as error:
        raise UsageError(f"the file of GITHUB_ENV cannot be written: {error.strerror}") from error
    return "".join(
        f"::add-mask::{values[name].translate(_IN_COMMAND)}\n" for name in _MASKED if name in values
    )


SHELLS: dict[str, Callable[[Session], str]] = {
    "process": process,
    "env": sh,
    "fish": fish,
    "powershell": powershell,
    "cmd": cmd,
    "dotenv": dotenv,
}


def in_format(
    session: Session,
    output: str,
    environ: Mapping[str, str],
    asked: RoleParameters | None = None,
) -> str:
    """One session in a format; what was asked for tells a person more than the session alone."""
    if output == "json":
        return as_json(session)
    if output == "github":
        return github(session, environ)
    if output not in SHELLS:
        return text(session, asked)
    leaves = output in _SCRIPTS and NARROWED in environ and not session.narrowed
    return (_SCRIPTS[output]([NARROWED], {}) if leaves else "") + SHELLS[output](session)


def _sh(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _fish(value: str) -> str:
    quoted = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return quoted.replace("\n", "'\\n'")


def _powershell(value: str) -> str:
    quoted = "'" + re.sub("(['‘’‚‛])", r"\1\1", value) + "'"
    return re.sub("[\r\n]", lambda end: f"' + [char]{ord(end[0])} + '", quoted)


def _cmd(name: str, value: str) -> str:
    if re.search(r'["\r\n!]', value):
        raise UsageError(f"{name} holds a character that cmd.exe cannot quote")
    return value.replace("%", "%%")


def _dotenv(name: str, value: str) -> str:
    if re.search(r"['\r\n]", value):
        raise UsageError(f"{name} holds a character that .env files cannot quote")
    return value if re.fullmatch(r"[\w+/=:.@-]+", value, re.ASCII) else f"'{value}'"


_MASKED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_IN_COMMAND = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})


def _github(name: str, value: str) -> str:
    """A line of $GITHUB_ENV; a value of several lines ends at a word that nobody can foresee."""
    if not re.search(r"[\r\n]", value):
        return f"{name}={value}\n"
    end = f"end_{secrets.token_hex(16)}"
    return f"{name}<<{end}\n{value}\n{end}\n"


def _line_end_missing(file: BinaryIO) -> bytes:
    """What must come first where the file's last line has no end."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"
