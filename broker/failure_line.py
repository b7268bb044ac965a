"""How a failure is told: one JSON line, or plain sentences for a person.

Owns what makes a shell's `eval` fail, and the one sentence that an SDK passes on: programs show
what a `credential_process` wrote to stderr as it is. Imports nothing that is not Python's own.
"""

from __future__ import annotations

import re
import sys

EVAL_FAILS = {
    "env": "false\n",
    "fish": "false\n",
    "powershell": "throw 'awslogin failed'\n",
    "cmd": "cmd /c exit 1\n",
}
"""The shell formats, and what fails in each shell: without it the old session would stay."""

_COMMAND = re.compile(r"`(awslogin [^`]+)`")


def is_for_sdk() -> bool:
    """Whether we are a line that `setup` wrote, which SDKs run."""
    return bool(sys.flags.isolated) and sys.argv[0].endswith("__main__.py")


def is_readable(output: str, command: str = "") -> bool:
    """Whether a failure under this format is told in words: `env` and `creds` at a terminal."""
    if output == "text":
        return True
    at_terminal = sys.stderr is not None and sys.stderr.isatty()
    return at_terminal and (output in EVAL_FAILS or command == "creds")


def in_words(message: str, hint: str, profile: str | None) -> str:
    """A sentence and its mend."""
    prefix = f"{profile}: " if profile and profile not in message else ""
    mend = f"\n  → {hint}" if hint else ""
    return f"awslogin: {prefix}{message}{mend}"


def for_sdk(exit_code: int, message: str, hint: str, profile: str | None) -> str:
    """One sentence; where a person is needed it ends in the command that they run."""
    sentence = " ".join(f"awslogin: {message}".split())
    command = _COMMAND.search(hint)
    if exit_code == 4:
        run = command[1] if command else f"awslogin login {profile or 'PROFILE'}"
        return f"{sentence}; run {run}"
    return f"{sentence}; {' '.join(hint.split())}" if hint else sentence


def retold(line: str, output: str, command: str) -> str:
    """The JSON line in which another process failed, as this process would have told it."""
    import json

    failure = json.loads(line)["error"]
    message, hint, profile = failure["message"], failure["hint"], failure["profile"]
    if is_for_sdk():
        return for_sdk(failure["exit"], message, hint, profile)
    return in_words(message, hint, profile) if is_readable(output, command) else line
