"""Provider types and the plugins behind them. Loads only the plugin that is asked for."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from broker.errors import ConfigError

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
        near = difflib.get_close_matches(type_, names(), 1)
        raise ConfigError(
            f"there is no provider of type `{type_}`",
            hint=f"did you mean `{near[0]}`?" if near else "`awslogin providers` lists them",
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
