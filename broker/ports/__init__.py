"""The ports: the only ways to sockets, browsers, prompts, the clock and the keychain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.ports.aws import Aws
    from broker.ports.browser import Browser
    from broker.ports.clock import Clock
    from broker.ports.http import Http
    from broker.ports.secrets import Secrets
    from broker.ports.ui import Ui


@dataclass(frozen=True)
class Ports:
    """What a provider is given. `ui` and `secrets` are scoped to that provider by the broker."""

    http: Http
    aws: Aws
    ui: Ui
    secrets: Secrets
    clock: Clock
    browser: Browser
