"""Failures, told on stderr: a sentence and its mend, or one JSON line. Owns the exit codes' words.

What is not of our own tree of errors is turned into one of it by a table.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from broker.errors import EXIT_INTERRUPTED, AwsLoginError, Bug, UsageError
from broker.failure_line import EVAL_FAILS, for_sdk, in_words, is_for_sdk
from broker.secret import masked
from broker.terminal_text import to_stderr


def report(
    error: AwsLoginError, *, machine: bool, traced: bool = False, one_of_several: bool = False
) -> int:
    """Say a failure on stderr: a sentence and its mend, or one JSON line; its exit code.

    Args:
        error: The failure.
        machine: Whether it is said in JSON.
        traced: Whether its traceback is shown too.
        one_of_several: Keeps sentence and mend on one line.
    """
    if traced and (error.__traceback__ or error.__cause__):
        import traceback

        to_stderr(masked("".join(traceback.format_exception(error))).rstrip("\n"))
    message, hint = error.message, error.hint
    if one_of_several and not machine:
        message, hint = " → ".join(" ".join(text.split()) for text in (message, hint) if text), ""
    _report(error.code, error.exit_code, message, hint, error.profile, machine=machine)
    return error.exit_code


def fail_eval(output: str) -> None:
    """On stdout, what makes the `eval` of a shell fail: without it the old session would stay."""
    if output in EVAL_FAILS:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(EVAL_FAILS[output])
            sys.stdout.flush()


def report_interrupt(*, machine: bool) -> int:
    """Say that the person pressed Ctrl-C; the exit code."""
    if not machine and sys.stderr.isatty():
        to_stderr("")  # below the terminal's ^C
    _report("interrupted", EXIT_INTERRUPTED, "interrupted", "", None, machine=machine)
    return EXIT_INTERRUPTED


def as_ours(error: Exception) -> AwsLoginError:
    """The failure of our tree that tells this one."""
    return next(tell(error) for kind, tell in _TOLD_BY if isinstance(error, kind))


def _report(
    code: str, exit_code: int, message: str, hint: str, profile: str | None, *, machine: bool
) -> None:
    if machine:
        document = {
            "code": code,
            "exit": exit_code,
            "message": masked(message),
            "hint": masked(hint),
            "profile": profile,
        }
        line = json.dumps({"error": document})
        _tell_those_who_wait(exit_code, line)
    else:
        line = in_words(masked(message), masked(hint), profile)
    if is_for_sdk():
        line = for_sdk(exit_code, masked(message), masked(hint), profile)
    to_stderr(line)


def _tell_those_who_wait(exit_code: int, line: str) -> None:
    """A failure is the result of all who wait for this process; Ctrl-C harms nobody else."""
    if exit_code != EXIT_INTERRUPTED:
        from broker.agent.client import AgentClient

        with contextlib.suppress(OSError):
            AgentClient(os.environ).failed(exit_code, line)


def _usage(error: click.ClickException) -> UsageError:
    context = getattr(error, "ctx", None)
    if context and isinstance(error, click.NoSuchOption):
        options = context.command.params
        hidden = {name for option in options if _is_hidden(option) for name in option.opts}
        shown = [name for name in error.possibilities or () if name not in hidden]
        error = click.NoSuchOption(error.option_name, possibilities=shown, ctx=context)
    path = context.command_path if context else "awslogin"
    if context and context.find_root().obj is not None:  # no command was named
        path = "awslogin"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return UsageError(f"`{path}` has commands of its own: which one?", hint=f"`{path} --help`")
    return UsageError(" ".join(error.format_message().split()), hint=f"`{path} --help`")


def _is_hidden(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and parameter.hidden


def _machine_trouble(error: OSError) -> AwsLoginError:
    """A full disk, a folder that is not ours: the machine's trouble, not a defect."""
    where = error.filename or "input or output"
    failure = UsageError(
        f"{where}: {error.strerror or type(error).__name__}",
        hint="make room or access there; AWSLOGIN_HOME moves awslogin's own files",
    )
    failure.__cause__ = error
    return failure


def _bug(error: Exception) -> Bug:
    bug = Bug(
        f"a defect of awslogin: {type(error).__name__}",
        hint="run it again with --verbose and report what it shows",
    )
    bug.__cause__ = error
    return bug


_TOLD_BY: tuple[tuple[type[Exception], Callable[[Any], AwsLoginError]], ...] = (
    (AwsLoginError, lambda error: error),
    (click.ClickException, _usage),
    (OSError, _machine_trouble),
    (Exception, _bug),
)
"""What tells an exception; the first row that fits counts."""
