"""That there is no config, for who goes on without one. Reads nothing."""

from broker.errors import ConfigError


class NoConfig(ConfigError):
    """There is no config at all."""
