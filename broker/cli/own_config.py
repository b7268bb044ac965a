"""What the person's own config, and none at all, mean where another one was asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from broker.config import NoConfig
from broker.errors import AwsLoginError, ConfigError
from broker.paths import config_dir

if TYPE_CHECKING:
    from broker.cli.app import App
    from broker.config import Config, Profile


def take_no_config_for_an_empty_one(app: App) -> None:
    """For commands that have something to do without a config, too."""
    try:
        _ = app.config
    except NoConfig:
        from broker.config.loading import empty

        app.config = empty(app.environ)


def profile_of(config: Config, name: str, environ: Mapping[str, str]) -> Profile:
    """A profile; where there is none, the hint says whether the person's own config has one.

    Raises:
        ConfigError: There is no such profile, or it is spoiled.
    """
    try:
        return config.profile(name)
    except ConfigError as error:
        own = config_dir(environ) / "config.yaml"
        if name not in config and own.is_file() and own != config.path:
            with contextlib.suppress(AwsLoginError):
                from broker.config import load

                if name in load(str(own), environ, own.parent):
                    error.hint = f"your own config has one: `awslogin {name} --config {own}`"
        raise
