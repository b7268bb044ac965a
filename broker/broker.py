"""The broker of one config: its parts, put together. Tells no story; `login` and `logout` do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from broker.agent.client import AgentClient
from broker.cache import SessionCache
from broker.events import EventLog
from broker.kept_sign_ins import SignIns
from broker.key_ages import KeyAges
from broker.paths import data_dir, state_dir
from broker.plugins import Plugins
from broker.ports import LaterHttp, keychain
from broker.ports.aws import Aws
from broker.ports.clock import Clock
from broker.ports.ui import Ui
from broker.recording_environ import RecordingEnviron
from broker.seal import SealedFiles, sealed_here
from broker.single_flight import SingleFlight

if TYPE_CHECKING:
    from broker.config import Config


class Broker:
    """What getting and forgetting sessions needs, each part made when it is needed first.

    Attributes:
        config: The team's YAML.
        ui: The person.
        clock: The time.
        agent: Keeps sessions for the next command.
        aws: The way to AWS.
        http: The way to everything that is not an API of AWS.
        keychain: This machine's.
        sealed: Sealed files, in which sessions lie at rest.
        cache: Those sessions.
        locks: One for each sign-in.
        events: What was done from here.
        key_ages: Since when there are static keys.
        plugins: The providers.
        sign_ins: Those of the config's profiles, told without their providers where possible.
    """

    def __init__(
        self,
        config: Config,
        ui: Ui,
        environ: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
    ) -> None:
        self._environ = environ
        self._state = state_dir(environ)
        self.config = config
        self.ui = ui
        self.clock = clock or Clock()
        self.agent = AgentClient(environ)
        self.aws = Aws(environ, ui.warn)
        self.http = LaterHttp(self.clock, environ, meanwhile=self.aws.load)
        self.keychain = keychain.opened or keychain.LazyKeychain(ui, environ)
        self.events = EventLog(environ, self.clock)
        self.key_ages = KeyAges(data_dir(environ) / "key-ages", config.key_scope)

    @cached_property
    def sealed(self) -> SealedFiles:  # noqa: D102 - described above, as its fellows
        return sealed_here(self._environ, self.keychain, self.agent)

    @cached_property
    def cache(self) -> SessionCache:  # noqa: D102
        return SessionCache(self.sealed, self.clock)

    @cached_property
    def locks(self) -> SingleFlight:  # noqa: D102
        return SingleFlight(self._state / "locks", self.clock, self.ui)

    @cached_property
    def plugins(self) -> Plugins:  # noqa: D102
        return Plugins(
            self.config,
            self._environ,
            ui=self.ui,
            clock=self.clock,
            aws=self.aws,
            http=self.http,
            keychain=self.keychain,
            sealed=self.sealed,
        )

    @cached_property
    def sign_ins(self) -> SignIns:  # noqa: D102
        environ = self._environ
        looked_at = environ if isinstance(environ, RecordingEnviron) else RecordingEnviron(environ)
        return SignIns(self.config, self.plugins, looked_at)
