"""Any other tool's `credential_process`: a program that prints a session.

Source: AWS SDKs and Tools Reference Guide, "Process credential provider": a JSON object with
`Version` 1, `AccessKeyId`, `SecretAccessKey`, and where there are any `SessionToken`, `Expiration`
(ISO 8601) and `AccountId`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from broker.duration_field import Duration
from broker.errors import ConfigError, LoginRefused, NetworkError, RoleRefused, UnexpectedReply
from broker.ports.command import OutputTooLongError, run_for_output
from broker.provider import Credentials, Provider, ProviderOptions, Request
from broker.secret import Secret

WITHOUT_END = timedelta(minutes=15)
"""What a session counts as good for whose end the command does not say."""
PATIENCE = 60
"""Seconds; the Go SDK gives a `credential_process` one minute."""


def _program(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command, its program checked to be a bare name on PATH or an absolute path.

    Raises:
        ValueError: It is neither.
    """
    program = os.path.expanduser(command[0])  # noqa: PTH111 - a bare name stays one
    if any("\0" in word for word in command) or not program.strip():
        raise ValueError("a command is a list of words, the program first")
    if re.search(r"[\\/]", program) and not Path(program).is_absolute():
        raise ValueError("the program is an absolute path, or a bare name on PATH")
    return (program, *command[1:])


class ProcessOptions(ProviderOptions):
    """`command`: the program and its arguments, run without a shell; `timeout` in seconds."""

    command: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_program)]
    timeout: Annotated[Duration, Field(le=600)] = PATIENCE


class Process(Provider[ProcessOptions]):
    """Runs the command, and takes what it prints."""

    Options = ProcessOptions

    @classmethod
    def check(cls, options: ProcessOptions, request: Request) -> str | None:
        """The command decides which role it is; a role of its own comes by `source`."""
        del options
        asked = ("role_arn", "policy", "policy_arns", "external_id", "mfa_serial", "mfa_process")
        found = next((name for name in asked if getattr(request, name)), None)
        if found is None:
            return None
        name = "role" if found == "role_arn" and request.role else found
        return (
            f"a `process` provider takes no `{name}`: its command says whose session it is;"
            " take a role with it by a profile with `source`"
        )

    @classmethod
    def cannot_narrow(cls, options: ProcessOptions, request: Request) -> str | None:
        """The command decides what its session may do."""
        del options, request
        return "its command says what the session may do"

    def login(self, request: Request) -> Credentials:
        """The session that the command prints; the profile's `account`, if any, must be its own."""
        got = self._read(self._printed())
        if request.account and got.account_id and got.account_id != request.account:
            raise RoleRefused(
                f"the command of {self.name} gave a session of the account {got.account_id},"
                f" not of {request.account}",
                hint=f"check `command` of the provider {self.name} and `account` of the profile",
            )
        return got

    def _printed(self) -> bytes:
        """What the command prints on stdout; its stderr is ours."""
        program = self.options.command[0]
        by_hand = f"run it by hand: {program} …"
        try:
            ended = run_for_output(
                self.options.command,
                os.environ,
                seconds=self.options.timeout,
                folder=self.ports.folder,
            )
        except FileNotFoundError:
            raise ConfigError(
                f"the command of {self.name} is not here: {program}",
                hint="install it, or correct `command`",
            ) from None
        except TimeoutError:
            raise NetworkError(
                f"the command of {self.name} gave nothing within {self.options.timeout} s",
                hint=f"{by_hand}; `timeout` of the provider gives it longer",
            ) from None
        except OSError as error:
            raise ConfigError(
                f"the command of {self.name} cannot be run: {program}: {error.strerror}",
                hint="check the file and its mode",
            ) from None
        except OutputTooLongError:
            raise UnexpectedReply(
                f"the command of {self.name} printed more than a session is", hint=by_hand
            ) from None
        if ended.code:
            how = f"ended with {ended.code}" if ended.code > 0 else f"was ended by {-ended.code}"
            raise LoginRefused(f"the command of {self.name} {how}", hint=by_hand)
        return ended.output

    def _read(self, printed: bytes) -> Credentials:
        """Credentials of the printed JSON.

        Raises:
            UnexpectedReply: It is something else; the message never shows what.
        """
        try:
            document = json.loads(printed)
            if not isinstance(document, dict) or document["Version"] != 1:
                raise ValueError("no object with Version 1")
            key, secret = (_text(document, name) for name in ("AccessKeyId", "SecretAccessKey"))
            if not (key and secret):
                raise ValueError("no keys")
            token = _text(document, "SessionToken")
            return Credentials(
                access_key_id=key,
                secret_access_key=Secret(secret),
                session_token=Secret(token) if token else None,
                expires_at=self._end(_text(document, "Expiration")),
                account_id=_account(_text(document, "AccountId")),
            )
        except (KeyError, ValueError, OverflowError, RecursionError):
            raise UnexpectedReply(
                f"the command of {self.name} printed no credentials",
                hint="it must print JSON with Version 1, AccessKeyId and SecretAccessKey",
            ) from None

    def _end(self, stated: str | None) -> datetime:
        """When the session ends, UTC."""
        if not stated:
            return self.ports.clock.now().replace(microsecond=0) + WITHOUT_END
        end = datetime.fromisoformat(stated)
        return (end if end.tzinfo else end.replace(tzinfo=UTC)).astimezone(UTC)


def _text(document: Mapping[str, Any], name: str) -> str | None:
    """A field that is text, or absent.

    Raises:
        ValueError: It is something else.
    """
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(name)
    return value


def _account(stated: str | None) -> str | None:
    return stated if stated and re.fullmatch(r"[0-9]{12}", stated) else None
