"""One-time codes of a user's MFA device: where they come from, and who may try again.

A code comes from AWSLOGIN_MFA_CODE, else `mfa_process`, else a seed in the keychain (RFC 6238),
else the person. None is sent twice. A person may correct a wrong one, a machine may not.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from broker.errors import ConfigError, InteractionRequired, LoginRefused
from broker.ports import Ports
from broker.ports.command import OutputTooLongError, run_for_output
from broker.ports.one_time_codes import OneTimeCodes
from broker.provider import Request

TRIES = 3
"""Codes that a person may type; a machine has one."""
PATIENCE = 60
"""Seconds that `mfa_process` may take: somebody may have to touch a key."""

T = TypeVar("T")


def seed_entry(request: Request) -> str:
    """The keychain entry of a TOTP seed: it lies beside the keys that it goes with."""
    return f"totp/{request.keys_profile or request.profile}"


class Codes:
    """The codes of one request's device."""

    def __init__(self, ports: Ports, request: Request) -> None:
        self._ports = ports
        self._request = request
        self._device = request.mfa_serial or request.profile
        self._codes = OneTimeCodes(ports, self._device)

    def use(self, call: Callable[[str], T]) -> T:
        """Call with a code that was never sent before; a person corrects a wrong one.

        Raises:
            LoginRefused: The last code allowed is wrong.
            InteractionRequired: There is no code and nobody to ask.
        """
        code = self._from_machine()
        if code:
            return call(code)
        host = self._ports.aws.host("sts", self._request.region)
        question = f"One-time code of {self._device} for {host}"
        for attempt in range(1, TRIES + 1):
            typed = self._ports.ui.ask(question, variable="AWSLOGIN_MFA_CODE").replace(" ", "")
            if not _is_code(typed):
                problem = "that is no code of six digits"
            elif not self._codes.spend(typed):
                problem = "that code was used already: wait for the next one"
            else:
                try:
                    return call(typed)
                except LoginRefused as error:
                    if attempt == TRIES or not _is_about_a_code(error):
                        raise
                problem = "AWS refused that code: wait for the next one"
            self._ports.ui.show(problem)
        raise LoginRefused("no one-time code that could be sent", hint="try again")

    def _from_machine(self) -> str | None:
        """A code that nobody types, or None."""
        given = self._given()
        if given:
            return given
        if self._request.mfa_process:
            command = self._request.mfa_process
            return self._codes.unused(lambda: _run(command, self._ports.folder), "mfa_process")
        seed = self._ports.secrets.get(seed_entry(self._request))
        if seed:
            return self._codes.of_seed(seed)
        return None

    def _given(self) -> str | None:
        """The environment's code, where it was not sent yet."""
        given = (self._ports.ui.given_code() or "").replace(" ", "")
        if not given:
            return None
        if not _is_code(given):
            raise LoginRefused("AWSLOGIN_MFA_CODE is no code of six digits")
        if self._codes.spend(given):
            return given
        if self._ports.ui.interactive or self._request.mfa_process:
            return None
        if self._ports.secrets.get(seed_entry(self._request)):
            return None
        raise LoginRefused(
            "the code in AWSLOGIN_MFA_CODE was used already, and AWS takes each one once",
            hint="set the device's next code",
        )


def _is_code(text: str) -> bool:
    return re.fullmatch(r"\d{6}", text, re.ASCII) is not None


def _is_about_a_code(error: LoginRefused) -> bool:
    code_pattern = r"multi.?factor|mfa|one.?time|pass ?code"
    if re.search(r"verify your mfa serial", error.message, re.IGNORECASE):
        return False  # the device is wrong, not the code
    return re.search(code_pattern, error.message, re.IGNORECASE) is not None


_BY_HAND = "run the command by hand: it must print a code of six digits last"


def _run(command: str, folder: Path | None) -> str:
    """The code that a command prints last; it may ask the person on the terminal itself.

    Raises:
        InteractionRequired: It prints none in time.
        ConfigError: It fails, or prints something else.
    """
    argv = command if sys.platform == "win32" else ["/bin/sh", "-c", command]
    environ = {name: text for name, text in os.environ.items() if not name.startswith("AWSLOGIN_")}
    try:
        ended = run_for_output(argv, environ, seconds=PATIENCE, folder=folder)
    except TimeoutError:
        raise InteractionRequired(
            f"mfa_process gave no code within {PATIENCE} s", hint="run the command by hand"
        ) from None
    except OutputTooLongError:
        raise ConfigError("mfa_process prints no end of text", hint=_BY_HAND) from None
    lines = ended.output.decode(errors="replace").split("\n")
    printed = next((line for line in reversed(lines) if line.strip()), "")
    code = _code_at_the_end(printed)
    if ended.code or code is None:
        raise ConfigError(
            f"mfa_process ended with {ended.code} and"
            f" {'something other than a' if printed else 'no'} code",
            hint=_BY_HAND,
        )
    return code


def _code_at_the_end(line: str) -> str | None:
    """Its last six digits as a word, in one or (`123 456`) in two groups."""
    found = re.search(r"(?:^|\s)(\d{3})[ \u00a0]?(\d{3})\s*$", line, re.ASCII)
    return found.group(1) + found.group(2) if found else None
