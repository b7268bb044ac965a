"""Provider types and the plugins behind them. Loads only the plugin that is asked for."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from broker.errors import ConfigError
from broker.nearest import did_you_mean

if TYPE_CHECKING:
    from broker.provider import Provider

GROUP = "awslogin.providers"


@cache
def names() -> dict[str, EntryPoint]:
    """Every installed type and its entry point; imports none of them."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@cache
def load(type_: str) -> type[Provider]:
    """The plugin of a type.

    Raises:
        ConfigError: There is no such type, or its plugin cannot be imported.
    """
    entry = names().get(type_)
    if entry is None:
        raise ConfigError(
            f"there is no provider of type `{type_}`",
            hint=did_you_mean(type_, names(), cutoff=0.6) or "`awslogin providers` lists them",
        )
    try:
        plugin: type[Provider] = entry.load()
    except Exception as error:
        where = entry.dist.name if entry.dist else entry.value
        raise ConfigError(
            f"the provider plugin `{type_}` of {where} cannot be loaded: {type(error).__name__}",
            hint=f"reinstall or remove {where}",
        ) from error
    return plugin
