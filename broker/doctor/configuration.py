"""The team's YAML and the person's settings."""

from __future__ import annotations

from collections.abc import Iterator

from broker.config import NoConfig, SpoiledFile
from broker.doctor.finding import Finding, Machine
from broker.errors import AwsLoginError
from broker.settings import path as settings_path
from broker.settings import settings
from broker.terminal_text import counted

SHOWN = 20
"""Errors of one config that are told."""


def config(machine: Machine) -> Iterator[Finding]:
    """Whether there is one, and whether its profiles are sound."""
    error = machine.config_error
    if isinstance(error, NoConfig):
        yield Finding("config", "warning", error.message.partition("\n")[0], "awslogin init")
    elif isinstance(error, SpoiledFile):
        for flaw in error.errors[:SHOWN]:
            yield Finding.of("config", flaw)
    elif error:
        yield Finding.of("config", error)
    elif machine.config:
        found = machine.config
        if not found.trusted:
            return  # whose plugins are not to be loaded, and whose values not to be looked up
        problems = found.problems
        for problem in problems[:SHOWN]:
            yield Finding.of("config", problem)
        if not problems:
            yield Finding("config", "ok", f"{found.path}: {counted(len(found.names), 'profile')}")


def trust(machine: Machine) -> Iterator[Finding]:
    """Whether the file may be acted on."""
    found = machine.config
    if found and not found.trusted:
        yield Finding(
            "trust",
            "warning",
            f"{found.path} is not trusted as it is now",
            f"awslogin config trust {found.path}",
        )
    elif found:
        yield Finding("trust", "ok", f"{found.path} is trusted")


def settings_file(machine: Machine) -> Iterator[Finding]:
    """Whether the person's settings are right."""
    try:
        settings(machine.environ)
    except AwsLoginError as error:
        yield Finding.of("settings", error)
    else:
        place = settings_path(machine.environ)
        yield Finding("settings", "ok", str(place) if place.exists() else "none, the defaults hold")
