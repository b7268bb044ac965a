"""A look at what is kept on this machine that asks nobody anything."""

from __future__ import annotations

from broker.broker import Broker
from broker.cli.app import App
from broker.ports.ui import Ui


def broker_that_asks_nobody(app: App) -> Broker:
    """The config's broker with nobody to ask: a locked keychain is `KeychainError`."""
    return Broker(app.config, Ui(app.environ, may_ask=False, quiet=True), app.environ)
