"""The team's YAML: from files to resolved profiles."""

from broker.config.document import Origin
from broker.config.load import NoConfig, load
from broker.config.loaded import Config
from broker.config.problems import SpoiledFile
from broker.config.profile import Profile, ProviderSpec

__all__ = [
    "Config",
    "NoConfig",
    "Origin",
    "Profile",
    "ProviderSpec",
    "SpoiledFile",
    "load",
]
