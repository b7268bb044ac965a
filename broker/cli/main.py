"""The command line: the table of commands, what its words mean, and how a command runs and ends.

Owns the one error boundary: everything that a command raises ends in `run`, as an exit code.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from broker import __version__
from broker.cli.app import FORMATS
from broker.cli.help import EXAMPLES, write_by_task
from broker.cli.report import as_ours, fail_eval, report, report_interrupt
from broker.errors import EXIT_INTERRUPTED, Bug
from broker.failure_line import is_readable
from broker.warm import (
    COMPLETE,
    calling_shell,
    hold_interrupts,
    keep_descriptors,
    let_interrupts_in,
)

COMMANDS = {
    "login": "broker.cli.login:login",
    "env": "broker.cli.login:env",
    "creds": "broker.cli.login:creds",
    "exec": "broker.cli.run:exec_",
    "shell": "broker.cli.run:shell",
    "serve": "broker.cli.serve:serve",
    "list": "broker.cli.show:list_",
    "status": "broker.cli.show:status",
    "console": "broker.cli.console:console",
    "whoami": "broker.cli.show:whoami",
    "explain": "broker.cli.explain:explain",
    "logout": "broker.cli.login:logout",
    "add": "broker.cli.keys:add",
    "remove": "broker.cli.keys:remove",
    "rotate": "broker.cli.keys:rotate",
    "migrate": "broker.cli.migrate:migrate",
    "import": "broker.cli.import_:import_",
    "discover": "broker.cli.discover:discover",
    "setup": "broker.cli.setup:setup",
    "config": "broker.cli.config:config",
    "agent": "broker.cli.agent:agent",
    "completion": "broker.cli.completion:completion",
    "shell-init": "broker.cli.shell_init:shell_init",
    "report": "broker.cli.identity_report:report",
    "events": "broker.cli.events:events",
    "init": "broker.cli.init:init",
    "doctor": "broker.cli.doctor:doctor",
    "uninstall": "broker.cli.uninstall:uninstall",
    "trust-policy": "broker.cli.trust_policy:trust_policy",
    "providers": "broker.cli.show:providers",
}
"""Name → `module:attribute`, in the order of the help; a module is loaded when it is asked for."""

GROUPS = ("config", "agent")
"""Commands that have commands of their own."""

OTHER_WORDS = {"help": "--help", "version": "--version"}
"""Words that stand for an option; what follows `help` is the command that is asked about."""

_TAKE_VALUES = {
    "--config",
    "--found",
    "--output",
    "--tag",
    "--duration",
    "--min-ttl",
    "--timeout",
    "--debug-page",
    "--region",
}
"""Options that may stand before the command and take a value."""


class Root(click.Group):
    """Loads commands when they are asked for; what is no command is a profile to log in to."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, D102
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002, D102
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, attribute = place.split(":")
        loaded: click.Command = getattr(importlib.import_module(module), attribute)
        if cmd_name in EXAMPLES:
            loaded.epilog = f"Example: {EXAMPLES[cmd_name]}"
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by task, each with its whole summary."""
        write_by_task(COMMANDS, lambda name: self.get_command(ctx, name), formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:  # noqa: D102
        if ctx.resilient_parsing and not any(not arg.startswith("-") for arg in args):
            return args  # a shell completes the first word: commands and profiles
        _, rest = _leading_options(args)
        if not rest or rest[0] not in COMMANDS:
            ctx.obj = rest[0] if rest else ""
        return super().parse_args(ctx, _command_first(args))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Commands and profiles, or the options of `login`."""
        from click.shell_completion import CompletionItem

        from broker.cli.completion import profiles

        if incomplete.startswith("-"):
            login = self.get_command(ctx, "login")
            assert login
            return login.shell_complete(click.Context(login), incomplete)
        names = [*COMMANDS, *profiles(None, incomplete)]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _command_first(args: list[str]) -> list[str]:
    """Options may stand before the command; without a command, `login` is meant."""
    options, rest = _leading_options(args)
    if rest and rest[0] in OTHER_WORDS and "--" not in args:
        return [*rest[1:], OTHER_WORDS[rest[0]]]
    if not rest and {"-h", "--help", "--version"} & set(options):
        return options
    if rest and rest[0] in GROUPS:
        more, own = _leading_options(rest[1:])
        return [rest[0], own[0], *options, *more, *own[1:]] if own else [rest[0], *more]
    if rest and rest[0] in COMMANDS:
        return [rest[0], *options, *rest[1:]]
    return ["login", *options, *rest]


def _leading_options(args: list[str]) -> tuple[list[str], list[str]]:
    """The options before the first word, with their values, and the rest."""
    place = 0
    while place < len(args) and args[place].startswith("-") and args[place] != "--":
        place += 2 if args[place] in _TAKE_VALUES else 1
    return args[:place], args[place:]


@click.group(
    cls=Root,
    name="awslogin",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="awslogin")
def root() -> None:
    """Sign in to AWS: `awslogin PROFILE`, whatever stands behind PROFILE."""


def run_and_end(args: list[str]) -> NoReturn:
    """Run a command line and end the process with its exit code.

    The interpreter would take the libraries apart module by module first, which is a good part of a
    sign-in's time; the kernel does it at once.
    """
    code = run(args)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def run(args: list[str]) -> int:
    """The error boundary: run a command line and return its exit code."""
    gc.set_threshold(1_000_000)  # a command ends before its garbage matters
    _keep_streams()
    output = _output_of(args)
    machine = not is_readable(output, "creds" if "creds" in args[:1] else "")
    code = _run(args, machine=machine)
    if code and not os.environ.get(COMPLETE):
        fail_eval(output)
    return code


def _run(args: list[str], *, machine: bool) -> int:
    try:
        let_interrupts_in()
        code = _invoke(args)
    except click.exceptions.Exit as end:
        return end.exit_code
    except KeyboardInterrupt:
        hold_interrupts()  # it may be pressed again
        return report_interrupt(machine=machine)
    except BrokenPipeError:
        _drop_stdout()
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the boundary: what is not ours is a bug
        if isinstance(error, OSError):
            _drop_stdout()
        if os.environ.get(COMPLETE):
            return as_ours(error).exit_code  # words would stand in the person's line
        failure, own = as_ours(error), _own(args)
        traced = "--debug" in own or ("--verbose" in own and isinstance(failure, Bug))
        return report(failure, machine=machine, traced=traced)
    return code if isinstance(code, int) else 0


def _invoke(args: list[str]) -> object:
    """What click's own `main` does, but for its ways with Ctrl-C and a pipe that is closed."""
    asked = os.environ.get(COMPLETE)
    if asked:
        from broker.cli.completion import answer

        return answer(root, asked)
    with root.make_context("awslogin", list(args)) as context:
        return root.invoke(context)


def _keep_streams() -> None:
    """Give Python the streams that it found closed; what one cannot encode is written out."""
    keep_descriptors()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
        if number and hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _drop_stdout() -> None:
    """Nothing more goes to stdout: what it still holds would fail again as the process ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _own(args: list[str]) -> list[str]:
    """The words before `--`: those behind it are another command's."""
    return args[: args.index("--")] if "--" in args else args


def _output_of(args: list[str]) -> str:
    """The format of the result; told by the words, as parsing them may be what fails."""
    arguments = _own(args)
    chosen = "text"
    for place, word in enumerate(arguments):
        if word.startswith("--output="):
            chosen = word.partition("=")[2]
        elif word == "--output" and place + 1 < len(arguments):
            chosen = arguments[place + 1]
    if chosen in FORMATS and chosen != "text":
        return chosen
    first = next((word for word in _command_first(arguments) if not word.startswith("-")), "")
    if chosen == "text" and first == "env":
        shell = calling_shell()
        return shell if shell in FORMATS else "env"
    return "process" if chosen == "text" and first == "creds" else "text"
