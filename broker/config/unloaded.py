"""What stands for a plugin of another wheel while the file that names it is not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import ConfigDict

from broker import registry
from broker.errors import InteractionRequired
from broker.provider import Provider, ProviderOptions, Request


class AnyOptions(ProviderOptions):
    """Options that nobody checks yet."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)


class Unloaded(Provider[AnyOptions]):
    """Runs nothing of the plugin: importing it would already run its code."""

    Options = AnyOptions

    @classmethod
    def cannot_work_here(cls, options: AnyOptions, environ: Mapping[str, str]) -> str | None:
        """It is not loaded."""
        del options, environ
        return "its plugin is loaded once the file is trusted"

    def login(self, request: Request) -> NoReturn:
        """Nobody gets here without trust.

        Raises:
            InteractionRequired: Always.
        """
        raise InteractionRequired(
            f"the plugin of {self.name} is not loaded",
            hint="`awslogin config trust`",
            profile=request.profile,
        )


def plugin_of(type_: str, *, trusted: bool) -> type[Provider[Any]]:
    """The plugin of a type; another wheel's only for a trusted file.

    Raises:
        ConfigError: There is no such type, or its plugin is broken.
    """
    return registry.load(type_) if trusted or registry.is_own(type_) else Unloaded
