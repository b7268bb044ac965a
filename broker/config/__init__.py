"""The team's YAML: from files to resolved profiles."""

from broker.config.load import Config, NoConfig, SpoiledFile, load
from broker.config.profile import Origin, Profile, ProviderSpec

__all__ = [
    "Config",
    "NoConfig",
    "Origin",
    "Profile",
    "ProviderSpec",
    "SpoiledFile",
    "load",
]
