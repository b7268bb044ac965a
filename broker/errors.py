"""Every way in which awslogin can fail, each with its exit code and its code word.

    AwsLoginError
    ├── Bug                  1  bug                    a defect of ours
    ├── UsageError           2  usage                  the command line is wrong
    ├── ConfigError          2  config                 a config file is wrong, with file and line
    ├── LoginRefused         3  login_refused          wrong password, code or token; denied
    ├── InteractionRequired  4  interaction_required   a person is needed and --no-input holds
    ├── NetworkError         5  network                unreachable, timed out, throttled, 5xx
    ├── UnexpectedReply      6  unexpected_reply       a reply that we do not understand
    ├── KeychainError        7  keychain               missing, locked or silent
    └── RoleRefused          8  role_refused           signed in, but not for this role

An exception that is not of this tree is a bug. Only the command line's error boundary turns these
into an exit code; Ctrl-C is `KeyboardInterrupt` and ends with 130.
"""

from __future__ import annotations

from typing import Self

EXIT_INTERRUPTED = 130
"""Exit code of a command that the person interrupted."""

WORST_FIRST = (1, 2, 7, 6, 3, 8, 4, 5)
"""Of several failures in one command, the first code of this row that occurred is the exit code."""


SIGN_IN = "awslogin login PROFILE"
"""The command of a hint for the profile that it is told of; `for_profile` puts its name in."""


class AwsLoginError(Exception):
    """A failure that a person can act on.

    Args:
        message: What happened and where, one sentence, without secrets.
        hint: The command or action that mends it; empty where there is none.
        profile: The profile concerned, filled in by the broker where a provider left it out.
    """

    exit_code = 1
    code = "bug"

    def __init__(self, message: str, *, hint: str = "", profile: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.profile = profile

    def for_profile(self, profile: str) -> Self:
        """A copy of this failure that names the profile; this failure is its cause."""
        failure = type(self).__new__(type(self), *self.args)
        hint = self.hint.replace(SIGN_IN, SIGN_IN.replace("PROFILE", profile))
        vars(failure).update(vars(self), profile=profile, hint=hint)
        failure.__cause__ = self
        return failure


class Bug(AwsLoginError):
    """A defect of ours."""


class UsageError(AwsLoginError):
    """The command line is wrong."""

    exit_code = 2
    code = "usage"


class ConfigError(AwsLoginError):
    """A config file is wrong.

    Args:
        message: What is wrong.
        file: Path of the file, as the person would name it.
        line: 1-based line.
        column: 1-based column.
        hint: The nearest right name, or the mend.
        profile: The profile that alone is spoiled; None when the whole file is.
    """

    exit_code = 2
    code = "config"

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str = "",
        profile: str | None = None,
    ) -> None:
        place = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{place}: {message}" if place else message, hint=hint, profile=profile)
        self.reason = message
        self.file = file
        self.line = line
        self.column = column


class LoginRefused(AwsLoginError):
    """A wrong password, code or token; denied; or the person let it time out."""

    exit_code = 3
    code = "login_refused"


class InteractionRequired(AwsLoginError):
    """A person is needed, and there is none."""

    exit_code = 4
    code = "interaction_required"


class NetworkError(AwsLoginError):
    """Unreachable, timed out, throttled or 5xx after bounded retries: try again later."""

    exit_code = 5
    code = "network"


class Throttled(NetworkError):
    """It can be reached, and asks for a pause that is longer than we wait."""


class UnexpectedReply(AwsLoginError):
    """A reply that we do not understand; the message names the page or state.

    Attributes:
        page: The sign-in page that was not understood, secrets masked, for `--debug-page`.
    """

    exit_code = 6
    code = "unexpected_reply"
    page: str | None = None


class KeychainError(AwsLoginError):
    """The keychain is missing, locked or silent."""

    exit_code = 7
    code = "keychain"


class NotKept(KeychainError):
    """The person wants nothing to be kept on this machine."""


class RoleRefused(AwsLoginError):
    """Signed in, but AWS refuses this role or the assertion does not hold it."""

    exit_code = 8
    code = "role_refused"


def worst(errors: list[AwsLoginError]) -> int:
    """The exit code of a command in which several profiles failed."""
    return min((error.exit_code for error in errors), key=WORST_FIRST.index)
