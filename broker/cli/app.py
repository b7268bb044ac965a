"""What a command gets: the options everywhere, and what they are turned into.

Owns `App` (config, person, broker, stdout) and the decorators that make a function a command. The
table of commands and the way they run are `main`'s, failures are `report`'s.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from broker.cli.leaving import require_leave
from broker.errors import AwsLoginError, UsageError
from broker.paths import require_own_folders
from broker.ports.steps import tell_steps
from broker.recording_environ import RecordingEnviron
from broker.terminal_text import escape_controls
from broker.warm import place_of, working_directory

if TYPE_CHECKING:
    from broker.broker import Broker
    from broker.config import Config, Profile
    from broker.login import Login, SessionRequirements
    from broker.ports.ui import Ui
    from broker.session import Session

FORMATS = (
    "text", "json", "process", "env", "fish", "powershell", "cmd", "dotenv", "github",
)  # fmt: skip
PLAIN_FORMATS = ("text", "json")
"""What commands take that print no session."""

F = TypeVar("F", bound=Callable[..., Any])

MAX_WARNINGS = 20
"""Spoiled profiles of which a list warns one by one."""


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
        debug: bool,
        quiet: bool,
    ) -> None:
        self.began_ns = time.time_ns()
        self.config_option = config
        self.found_option = found
        self.output = output or "text"
        self.environ = RecordingEnviron(os.environ)
        self.no_input = no_input or self.environ.get("CI", "").lower() == "true"
        self.no_browser = no_browser
        self.region: str | None = None
        self.verbose = verbose
        tell_steps(on=verbose or debug)
        self.quiet = quiet or (self.output != "text" and not sys.stderr.isatty())

    @cached_property
    def ui(self) -> Ui:
        """The person."""
        from broker.ports.ui import Ui

        return Ui(
            self.environ,
            may_ask=not self.no_input,
            may_browse=not self.no_browser,
            browser_alone=not self.no_input and self._browser_is_enough,
            quiet=self.quiet,
        )

    @property
    def _browser_is_enough(self) -> bool:
        """Whether a browser of this machine may be opened though there is no terminal."""
        from broker.ports.browser_reachability import has_display
        from broker.settings import settings

        wanted = settings(self.environ).sign_in_without_terminal == "browser"
        return wanted and has_display(os.environ)

    @cached_property
    def config(self) -> Config:
        """The config, whether trusted or not: for commands that only look."""
        from broker.config.kept_config import config_of

        folder = Path(working_directory())
        return config_of(self.config_option, self.found_option, self.environ, folder)

    @property
    def broker(self) -> Broker:
        """The broker of a config that may be acted on.

        Raises:
            InteractionRequired: The config is not trusted, or we run inside a narrowed session.
        """
        self.require_trust()
        require_leave(self.ui)
        return self.idle_broker

    def require_trust(self) -> None:
        """The config may be acted on; on a terminal the person is asked at its first use.

        Raises:
            InteractionRequired: It is not trusted.
        """
        if not self.config.trusted and self.ui.interactive:
            from broker.cli.trusting import trusted_now

            if trusted_now(self.ui, self.environ, self.config.subject):
                del self.config
        self.config.require_trust()

    @cached_property
    def idle_broker(self) -> Broker:
        """The broker of any config, for questions that contact nobody."""
        from broker.broker import Broker

        require_own_folders(self.environ)
        return Broker(self.config, self.ui, self.environ)

    def profile(self, name: str | None, duration: int | None = None) -> Profile:
        """The profile that is named, else the default one, else the person's pick.

        Raises:
            UsageError: None is named and nobody can pick.
        """
        if name == "":
            raise UsageError("the profile's name is empty", hint="is a variable of yours unset?")
        from broker.cli.own_config import profile_of

        profile = profile_of(self.config, name or self._default_name(), self.environ)
        profile = profile.with_region(self.region) if self.region else profile
        return profile if duration is None else profile.with_duration(duration)

    def sound_profiles(self) -> Iterator[Profile]:
        """Every profile that is not spoiled; of the others the person is warned."""
        spoiled = 0
        for name in self.config.names:
            try:
                yield self.config.profile(name)
            except AwsLoginError as error:
                spoiled += 1
                if spoiled <= MAX_WARNINGS:
                    self.ui.warn(f"{name}: {error.message}")
        if spoiled > MAX_WARNINGS:
            self.ui.warn(f"and {spoiled - MAX_WARNINGS} more profiles: `awslogin config check`")

    def _default_name(self) -> str:
        config = self.config
        own, aws = self.environ.get("AWSLOGIN_PROFILE"), self.environ.get("AWS_PROFILE")
        if name := own or (aws if aws and aws in config else None) or config.default_profile:
            return name
        if not self.ui.interactive:
            raise UsageError(
                "which profile?",
                hint="name one, or set AWSLOGIN_PROFILE or `default_profile`"
                "; `awslogin list` shows all",
            )
        from broker.cli.profile_picking import picked_profile

        self.require_trust()
        return picked_profile(self.ui, self.config, self.environ)

    @property
    def login(self) -> Login:
        """Gets sessions.

        Raises:
            InteractionRequired: The config is not trusted.
        """
        from broker.login import Login

        return Login(self.broker)

    def session(self, profile: Profile, requirements: SessionRequirements) -> Session:
        """The profile's session; where the agent may keep it, the next command asks there alone."""
        from broker.agent.variant import variant_of
        from broker.cli.confirming import is_confirmed
        from broker.kept_variant import keep

        asked = is_confirmed(self, profile)
        identity = self.broker.plugins.identity(profile)
        place = place_of(self.config_option or "", self.found_option or "")
        variant = variant_of(
            self.config,
            profile,
            self.environ,
            place,
            identity.session_id,
            began_ns=self.began_ns,
        )
        if variant and not asked:
            self.broker.agent.declare(variant)
        session = self.login.session(profile, requirements)
        if session.from_cache:
            self.login.hand_over(identity, session)
        if variant and not asked:
            keep(self.broker.sealed, variant, profile)
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
        """A result for a person, to stdout: words of others in it fool nobody."""
        self.say_exactly(escape_controls(text))

    def say_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows for a person, to stdout."""
        from broker.cli.tables import table

        self.say_exactly(table(columns, rows))

    def say_json(self, document: object) -> None:
        """A result as JSON, to stdout."""
        self.say_exactly(json.dumps(document, indent=2, default=str) + "\n")

    def say_exactly(self, text: str) -> None:
        """A result for a program, to stdout, as it is."""
        sys.stdout.write(text)
        sys.stdout.flush()

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
        made.params.sort(key=lambda param: param.name in _EVERYWHERE)  # its own options first
        return made

    return decorate


_EVERYWHERE = ("config", "found", "output", "no_input", "no_browser", "verbose", "debug", "quiet")


def _options_everywhere(formats: tuple[str, ...]) -> list[Callable[[Any], Any]]:
    return [
        click.option("--config", metavar="FILE", help="This config file, trusted for this call."),
        click.option("--found", metavar="FILE", hidden=True, help="This one, if it is trusted."),
        click.option("--output", type=click.Choice(formats), help="Format of the result."),
        click.option("--no-input", is_flag=True, help="Never prompt, never open a browser."),
        click.option("--no-browser", is_flag=True, help="Print addresses instead of opening them."),
        click.option("--verbose", is_flag=True, help="Tell steps, hosts, status and times."),
        click.option("--debug", is_flag=True, help="The same, with tracebacks of failures."),
        click.option("--quiet", is_flag=True, help="No progress lines."),
    ]
