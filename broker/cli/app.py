"""The frame of the command line.

Owns the options everywhere, the command table, what commands share (config, person, broker), and
the one error boundary that makes exit codes.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from broker import __version__
from broker.entry import hold_interrupts, keep_descriptors, place_of, working_directory
from broker.errors import EXIT_INTERRUPTED, AwsLoginError, Bug, UnexpectedReply, UsageError
from broker.recording_environ import RecordingEnviron
from broker.secret import masked
from broker.visible import to_stderr, visible

if TYPE_CHECKING:
    from broker.config import Config, Profile
    from broker.login import Broker, Wish
    from broker.ports.ui import Ui
    from broker.session import Session

COMMANDS = {
    "login": "broker.cli.login:login",
    "env": "broker.cli.login:env",
    "creds": "broker.cli.login:creds",
    "exec": "broker.cli.run:exec_",
    "shell": "broker.cli.run:shell",
    "list": "broker.cli.show:list_",
    "status": "broker.cli.show:status",
    "console": "broker.cli.console:console",
    "whoami": "broker.cli.show:whoami",
    "explain": "broker.cli.explain:explain",
    "logout": "broker.cli.login:logout",
    "add": "broker.cli.keys:add",
    "remove": "broker.cli.keys:remove",
    "rotate": "broker.cli.keys:rotate",
    "import": "broker.cli.import_:import_",
    "discover": "broker.cli.discover:discover",
    "setup": "broker.cli.setup:setup",
    "config": "broker.cli.config:config",
    "agent": "broker.cli.agent:agent",
    "completion": "broker.cli.completion:completion",
    "providers": "broker.cli.show:providers",
}
"""Name → `module:attribute`, in the order of the help; a module is loaded when it is asked for."""

GROUPS = ("config", "agent", "import")
"""Commands that have commands of their own."""

FORMATS = ("text", "json", "process", "env", "fish", "powershell", "cmd", "dotenv", "github")
PLAIN_FORMATS = ("text", "json")
"""What commands take that print no session."""

_TAKE_VALUES = {
    "--config",
    "--found",
    "--output",
    "--tag",
    "--duration",
    "--min-ttl",
    "--timeout",
    "--debug-page",
}
"""Options that may stand before the command and take a value."""

F = TypeVar("F", bound=Callable[..., Any])


class App:
    """What one command line knows: its options, and the parts built from them when needed."""

    def __init__(
        self,
        *,
        config: str | None,
        found: str | None,
        output: str | None,
        no_input: bool,
        no_browser: bool,
        verbose: bool,
        quiet: bool,
    ) -> None:
        self.config_option = config
        self.found_option = found
        self.output = output or "text"
        self.environ = RecordingEnviron(os.environ)
        self.no_input = no_input or self.environ.get("CI", "").lower() == "true"
        self.no_browser = no_browser
        self.verbose = verbose
        self.quiet = quiet or (self.output != "text" and not sys.stderr.isatty())

    @cached_property
    def ui(self) -> Ui:
        """The person."""
        from broker.ports.ui import Ui

        return Ui(
            self.environ,
            may_ask=not self.no_input,
            may_browse=not self.no_browser,
            quiet=self.quiet,
        )

    @cached_property
    def config(self) -> Config:
        """The config, whether trusted or not: for commands that only look."""
        from broker.config import load

        folder = Path(working_directory())
        return load(self.config_option, self.environ, folder, self.found_option)

    @property
    def broker(self) -> Broker:
        """The broker of a config that may be acted on.

        Raises:
            InteractionRequired: The config is not trusted.
        """
        self.config.require_trust()
        return self.idle_broker

    @cached_property
    def idle_broker(self) -> Broker:
        """The broker of any config, for questions that contact nobody."""
        from broker.login import Broker

        return Broker(self.config, self.ui, self.environ)

    def profile(self, name: str | None, duration: int | None = None) -> Profile:
        """The profile that is named, else the default one, else the person's pick.

        Raises:
            UsageError: None is named and nobody can pick.
        """
        if name == "":
            raise UsageError("the profile's name is empty", hint="is a variable of yours unset?")
        profile = self.config.profile(self._default_name() if name is None else name)
        return profile if duration is None else profile.with_duration(duration)

    def sound_profiles(self) -> Iterator[Profile]:
        """Every profile that is not spoiled; of the others the person is warned."""
        for name in self.config.names:
            try:
                yield self.config.profile(name)
            except AwsLoginError as error:
                self.ui.warn(f"{name}: {error.message}")

    def _default_name(self) -> str:
        config = self.config
        own, aws = self.environ.get("AWSLOGIN_PROFILE"), self.environ.get("AWS_PROFILE")
        name = own or (aws if aws and aws in config else None) or config.default_profile
        if name:
            return name
        if not self.ui.interactive:
            raise UsageError(
                "which profile?",
                hint="name one, or set AWSLOGIN_PROFILE or `default_profile`"
                "; `awslogin list` shows all",
            )
        config.require_trust()
        return config.names[self.ui.choose("Which profile?", config.names)]

    def session(self, profile: Profile, wish: Wish) -> Session:
        """The profile's session; where the agent may keep it, the next command asks there alone."""
        from broker.agent.variant import variant_of

        key = self.broker.key(profile)
        place = place_of(self.config_option or "", self.found_option or "")
        variant = variant_of(self.config, profile, self.environ, place, key)
        if variant:
            self.broker.agent.declare(variant)
        session = self.broker.session(profile, wish)
        if session.from_cache:
            self.broker.hand_over(profile, session)
        return session

    @contextlib.contextmanager
    def naming(self, profile: str) -> Iterator[None]:
        """Failures inside the block are this profile's."""
        try:
            yield
        except AwsLoginError as error:
            error.profile = error.profile or profile
            raise

    def say(self, text: str) -> None:
        """A result, to stdout."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def say_json(self, document: object) -> None:
        """A result as JSON, to stdout."""
        self.say(json.dumps(document, indent=2, default=str) + "\n")

    def note(self, message: str) -> None:
        """A remark on the result, to stderr; silent under `--quiet`."""
        self.ui.progress(message)


def command(
    name: str | None = None, *, formats: tuple[str, ...] = PLAIN_FORMATS, group: Any = click
) -> Callable[[F], click.Command]:
    """Make a function a command: it takes an `App` first, and the options everywhere.

    Args:
        name: Where it differs from the function's.
        formats: What `--output` takes.
        group: The click group it belongs to, where it is a subcommand.
    """

    def decorate(function: F) -> click.Command:
        @functools.wraps(function)
        def with_app(**options: Any) -> Any:
            app = App(**{option: options.pop(option) for option in _EVERYWHERE})
            return function(app, **options)

        run_it: Any = with_app
        for option in reversed(_options_everywhere(formats)):
            run_it = option(run_it)
        made: click.Command = group.command(name)(run_it)
        return made

    return decorate


_EVERYWHERE = ("config", "found", "output", "no_input", "no_browser", "verbose", "quiet")


def _options_everywhere(formats: tuple[str, ...]) -> list[Callable[[Any], Any]]:
    return [
        click.option("--config", metavar="FILE", help="This config file, trusted for this call."),
        click.option("--found", metavar="FILE", hidden=True, help="This one, if it is trusted."),
        click.option("--output", type=click.Choice(formats), help="Format of the result."),
        click.option("--no-input", is_flag=True, help="Never prompt, never open a browser."),
        click.option("--no-browser", is_flag=True, help="Print addresses instead of opening them."),
        click.option("--verbose", is_flag=True, help="Say more; tracebacks of defects."),
        click.option("--quiet", is_flag=True, help="No progress lines."),
    ]


class Duration(click.ParamType[int]):
    """`90s`, `15m`, `1h30m` or plain seconds; an int of seconds."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:  # noqa: D102
        from broker.durations import parse_duration

        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def login_options(function: F) -> F:
    """The options of every command that gets a session; they arrive as `wish` and `duration`."""

    @functools.wraps(function)
    def with_wish(app: App, **options: Any) -> Any:
        from broker.login import Wish

        min_ttl, timeout = options.pop("min_ttl"), options.pop("timeout")
        wish = Wish(
            force=options.pop("force"),
            min_ttl=timedelta(seconds=900 if min_ttl is None else min_ttl),
            timeout=float(_patience(function) if timeout is None else timeout),
        )
        page = options.pop("debug_page")
        try:
            return function(app, wish=wish, **options)
        except AwsLoginError as error:
            _save_page(error, page)
            raise

    for option in (
        click.option(
            "--debug-page", metavar="FILE", help="Save a sign-in page that is not understood."
        ),
        click.option("--timeout", type=Duration(), help="Wait this long for another sign-in."),
        click.option("--min-ttl", type=Duration(), help="What must be left of a session (15m)."),
        click.option("--duration", type=Duration(), help="Length of the session."),
        click.option("--force", is_flag=True, help="A new session, whatever is cached."),
    ):
        with_wish = option(with_wish)
    return with_wish  # type: ignore[return-value]


def _patience(function: Callable[..., Any]) -> int:
    """SDKs give credential_process a minute; a person gets longer."""
    return 50 if function.__name__ == "creds" else 300


def _save_page(error: AwsLoginError, path: str | None) -> None:
    page = error.page if isinstance(error, UnexpectedReply) else None
    if path and page:
        with open(path, "wb", opener=_private) as file:
            file.write(masked(page).encode())
        error.hint = f"{error.hint}; the page was saved to {path}".lstrip("; ")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


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
        return loaded

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:  # noqa: D102
        if ctx.resilient_parsing and not any(not arg.startswith("-") for arg in args):
            return args  # a shell completes the first word: commands and profiles
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
    if not rest and {"--help", "--version"} & set(options):
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
    context_settings={"help_option_names": ["--help"], "max_content_width": 100},
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
    machine = _is_machine(args)
    verbose = "--verbose" in _own(args)
    try:
        _let_interrupts_in()
        code = _invoke(args)
    except click.exceptions.Exit as end:
        return end.exit_code
    except KeyboardInterrupt:
        hold_interrupts()  # it may be pressed again
        if not machine and sys.stderr.isatty():
            to_stderr("")  # below the terminal's ^C
        _report("interrupted", EXIT_INTERRUPTED, "interrupted", "", None, machine=machine)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        return EXIT_INTERRUPTED
    except AwsLoginError as error:
        return report(error, machine=machine, verbose=verbose)
    except click.ClickException as error:
        return report(_usage(error), machine=machine)
    except OSError as error:
        _drop_stdout()
        return report(_machine_trouble(error), machine=machine, verbose=verbose)
    except Exception as error:  # noqa: BLE001 - the boundary: what is not ours is a bug
        return report(_bug(error), machine=machine, verbose=verbose)
    return code if isinstance(code, int) else 0


def _invoke(args: list[str]) -> object:
    """What click's own `main` does, but for its ways with Ctrl-C and a pipe that is closed."""
    asked = os.environ.get("_AWSLOGIN_COMPLETE")
    if asked:
        from broker.cli.completion import answer

        return answer(root, asked)
    with root.make_context("awslogin", list(args)) as context:
        return root.invoke(context)


def _let_interrupts_in() -> None:
    """Ctrl-C, which the program's start has held back, is told from here on."""
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def report(
    error: AwsLoginError, *, machine: bool, verbose: bool = False, one_of_several: bool = False
) -> int:
    """Say a failure on stderr: a sentence and its mend, or one JSON line; its exit code.

    Args:
        error: The failure.
        machine: Whether it is said in JSON.
        verbose: Whether its traceback is shown too.
        one_of_several: Keeps sentence and mend on one line.
    """
    if verbose:
        import traceback

        to_stderr(masked("".join(traceback.format_exception(error))).rstrip("\n"))
    message, hint = error.message, error.hint
    if one_of_several and not machine:
        message, hint = " → ".join(" ".join(text.split()) for text in (message, hint) if text), ""
    _report(error.code, error.exit_code, message, hint, error.profile, machine=machine)
    return error.exit_code


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
        prefix = f"{profile}: " if profile and profile not in message else ""
        line = visible(f"awslogin: {prefix}{masked(message)}")
        line += visible(f"\n  → {masked(hint)}") if hint else ""
    to_stderr(line)


def _tell_those_who_wait(exit_code: int, line: str) -> None:
    """A failure is the result of all who wait for this process; Ctrl-C harms nobody else."""
    if exit_code != EXIT_INTERRUPTED:
        from broker.agent.client import AgentClient

        with contextlib.suppress(OSError):
            AgentClient(os.environ).failed(exit_code, line)


def _usage(error: click.ClickException) -> UsageError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "awslogin"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return UsageError(f"`{path}` has commands of its own: which one?", hint=f"`{path} --help`")
    return UsageError(" ".join(error.format_message().split()), hint=f"`{path} --help`")


def _drop_stdout() -> None:
    """Nothing more goes to stdout: what it still holds would fail again as the process ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _machine_trouble(error: OSError) -> AwsLoginError:
    """A full disk, a folder that is not ours: the machine's trouble, not a defect."""
    where = error.filename or "input or output"
    told = UsageError(
        f"{where}: {error.strerror or type(error).__name__}",
        hint="make room or access there; AWSLOGIN_HOME moves awslogin's own files",
    )
    told.__cause__ = error
    return told


def _keep_streams() -> None:
    """Give Python the streams that it found closed; what one cannot encode is written out."""
    keep_descriptors()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
        if number and hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _own(args: list[str]) -> list[str]:
    """The words before `--`: those behind it are another command's."""
    return args[: args.index("--")] if "--" in args else args


def _bug(error: Exception) -> Bug:
    bug = Bug(
        f"a defect of awslogin: {type(error).__name__}",
        hint="run it again with --verbose and report what it shows",
    )
    bug.__cause__ = error
    return bug


def _is_machine(args: list[str]) -> bool:
    """Whether failures are JSON lines; told by the words, as parsing them may be what fails."""
    words = _own(args)
    chosen = "text"
    for place, word in enumerate(words):
        if word.startswith("--output="):
            chosen = word.partition("=")[2]
        elif word == "--output" and place + 1 < len(words):
            chosen = words[place + 1]
    if chosen != "text":
        return chosen in FORMATS
    first = next((word for word in _command_first(words) if not word.startswith("-")), "")
    return first in {"creds", "env"}
