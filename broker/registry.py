"""Provider types and the plugins behind them. Loads only the plugin that is asked for.

A type of awslogin's own is never another wheel's: what signs in with a team's secrets is chosen by
name, and whoever could take the name would be handed them.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from broker.errors import ConfigError
from broker.nearest import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from broker.provider import Provider

GROUP = "awslogin.providers"
OWN_WHEEL = "awslogin"


@cache
def names() -> dict[str, EntryPoint]:
    """Every installed type and its entry point; imports none of them."""
    return {name: entries[0] for name, entries in _claims().items()}


def wheel_of(entry: EntryPoint) -> str:
    """The wheel that brings an entry point."""
    return entry.dist.name if entry.dist else entry.value


def is_own(type_: str) -> bool:
    """Whether a type is awslogin's own, or nobody's; another wheel's code is not ours to run."""
    entry = names().get(type_)
    return entry is None or wheel_of(entry) == OWN_WHEEL


def own_place(type_: str) -> str | None:
    """The `module:class` of a type that awslogin's wheel brings; None for others."""
    entry = names().get(type_)
    return entry.value if entry and wheel_of(entry) == OWN_WHEEL else None


def plugin_at(place: str) -> type[Provider[Any]]:
    """The plugin at a place that `own_place` has named: no wheel is searched for it."""
    module, _, name = place.partition(":")
    plugin: type[Provider[Any]] = getattr(import_module(module), name)
    return plugin


@cache
def load(type_: str) -> type[Provider[Any]]:
    """The plugin of a type.

    Raises:
        ConfigError: There is no such type, two wheels claim it, or its plugin cannot be imported.
    """
    entries = _claims().get(type_)
    if entries is None:
        raise ConfigError(
            f"there is no provider of type `{type_}`",
            hint=did_you_mean(type_, names(), cutoff=0.6) or "`awslogin providers` lists them",
        )
    wheels = [wheel_of(entry) for entry in entries]
    if len(wheels) > 1:
        raise ConfigError(
            f"the provider type `{type_}` is claimed by {' and '.join(wheels)}",
            hint=f"remove {' or '.join(wheels)}",
        )
    try:
        plugin = entries[0].load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise SystemExit, too
        raise _broken(type_, wheels[0], type(error).__name__) from error
    if not isinstance(plugin, type) or not hasattr(plugin, "Options"):
        raise _broken(type_, wheels[0], "it is no Provider")
    found: type[Provider[Any]] = plugin
    return found


def _broken(type_: str, wheel: str, reason: str) -> ConfigError:
    return ConfigError(
        f"the provider plugin `{type_}` of {wheel} cannot be loaded: {reason}",
        hint=f"reinstall or remove {wheel}",
    )


@cache
def _claims() -> dict[str, list[EntryPoint]]:
    """Type → the entry points that claim it, one a wheel; awslogin's own alone where there is one.

    A wheel that was found twice, as with two folders on `sys.path`, claims once: the first counts.
    """
    from importlib.metadata import entry_points

    claims: dict[str, dict[str, EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        claims.setdefault(entry.name, {}).setdefault(wheel_of(entry), entry)
    return {
        name: [wheels[OWN_WHEEL]] if OWN_WHEEL in wheels else list(wheels.values())
        for name, wheels in claims.items()
    }
