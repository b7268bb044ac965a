"""The team's YAML: from files to resolved profiles.

Each name is loaded when it is asked for first: what needs a profile alone loads no YAML.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from broker.config.loaded import Config
    from broker.config.loading import load
    from broker.config.no_config import NoConfig
    from broker.config.origin import Origin
    from broker.config.problems import SpoiledFile
    from broker.config.profile import Profile, ProviderSpec

_MODULES = {
    "Config": "loaded",
    "NoConfig": "no_config",
    "Origin": "origin",
    "Profile": "profile",
    "ProviderSpec": "profile",
    "SpoiledFile": "problems",
    "load": "loading",
}

__all__ = [
    "Config",
    "NoConfig",
    "Origin",
    "Profile",
    "ProviderSpec",
    "SpoiledFile",
    "load",
]


def __getattr__(name: str) -> Any:
    """A name of this package, from the module that owns it."""
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"broker.config.{_MODULES[name]}"), name)
