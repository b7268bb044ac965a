"""The options of commands that get a session, and what they are turned into."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from broker.cli.app import App
from broker.errors import AwsLoginError, UnexpectedReply, UsageError
from broker.secret import masked
from broker.whole_files import write_new

F = TypeVar("F", bound=Callable[..., Any])


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
    """The options of commands that get a session; they arrive as `requirements`, `duration`."""

    @functools.wraps(function)
    def with_requirements(app: App, **options: Any) -> Any:
        from broker.login import SessionRequirements

        min_ttl, timeout = options.pop("min_ttl"), options.pop("timeout")
        if timeout is not None:
            app.ui.person_seconds = float(timeout)
        requirements = SessionRequirements(
            force=options.pop("force"),
            min_ttl=timedelta(seconds=900 if min_ttl is None else min_ttl),
            timeout=float(_patience(function) if timeout is None else timeout),
        )
        app.region = options.pop("region")
        page = options.pop("debug_page")
        try:
            return function(app, requirements=requirements, **options)
        except AwsLoginError as error:
            _save_page(error, page)
            raise

    for option in (
        click.option(
            "--debug-page", metavar="FILE", help="Save a sign-in page that is not understood."
        ),
        click.option(
            "--timeout", type=Duration(), help="Wait this long: for another sign-in, a browser."
        ),
        click.option("--region", metavar="REGION", help="Use the session in this region."),
        click.option("--min-ttl", type=Duration(), help="What must be left of a session (15m)."),
        click.option("--duration", type=Duration(), help="Length of the session."),
        click.option("--force", is_flag=True, help="A new session, whatever is cached."),
    ):
        with_requirements = option(with_requirements)
    return with_requirements  # type: ignore[return-value]


def _patience(function: Callable[..., Any]) -> int:
    """SDKs give credential_process a minute; a person gets longer."""
    return 50 if function.__name__ == "creds" else 300


def _save_page(error: AwsLoginError, path: str | None) -> None:
    page = error.page if isinstance(error, UnexpectedReply) else None
    if path and page:
        try:
            write_new(Path(path), masked(page).encode())
            outcome = f"the page was saved to {path}"
        except OSError as trouble:
            outcome = f"the page could not be saved to {path}: {trouble.strerror}"
        error.hint = f"{error.hint}; {outcome}".lstrip("; ")


def tag_pair(tag: str) -> tuple[str, str]:
    """Key and value of `--tag`.

    Raises:
        UsageError: It is no pair.
    """
    key, equals, value = tag.partition("=")
    if not equals:
        raise UsageError(f"--tag takes KEY=VALUE, not {tag}")
    return key, value
