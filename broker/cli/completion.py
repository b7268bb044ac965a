"""Arguments that complete themselves. Owns what the shells are offered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from broker.errors import AwsLoginError


def profile_argument(
    name: str = "profile", *, nargs: int = 1, required: bool = False
) -> Callable[[Any], Any]:
    """A profile, completed from the config."""
    return click.argument(
        name, nargs=nargs, required=required, shell_complete=_profiles, metavar="[PROFILE]"
    )


def provider_argument() -> Callable[[Any], Any]:
    """A provider, completed from the config."""
    return click.argument("provider", shell_complete=_providers)


def _profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    return [name for name in _config_names(ctx, "names") if name.startswith(incomplete)]


def _providers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    return [name for name in _config_names(ctx, "provider_names") if name.startswith(incomplete)]


def _config_names(ctx: click.Context, kind: str) -> list[str]:
    """Names from the config; nothing at all where it cannot be read."""
    import os

    from broker.config import load

    try:
        config = load(ctx.params.get("config"), os.environ, Path.cwd())
    except (AwsLoginError, OSError):
        return []
    names: list[str] = getattr(config, kind)
    return names
