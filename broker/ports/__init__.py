"""The ports: the only ways to sockets, browsers, prompts, the clock, the keychain and USB keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.ports.aws import Aws
    from broker.ports.browser import Browser
    from broker.ports.clock import Clock
    from broker.ports.http import Http, HttpSession
    from broker.ports.secrets import Secrets
    from broker.ports.security_key import SecurityKeys
    from broker.ports.ui import Ui


class LaterHttp:
    """The http port, loaded when a provider opens its first session: many never do.

    Args:
        clock: Time and sleep.
        environ: Says which certificates are trusted.
        meanwhile: What will be needed after the first reply, loaded while it is waited for.
    """

    def __init__(
        self, clock: Clock, environ: Mapping[str, str], meanwhile: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._environ = environ
        self._meanwhile = meanwhile

    def session(self) -> HttpSession:
        """A new session with an empty cookie jar."""
        from broker.ports.http import Http

        return Http(self._clock, self._environ, self._meanwhile).session()


def _security_keys() -> SecurityKeys:
    from broker.ports.security_key import SecurityKeys

    return SecurityKeys()


@dataclass(frozen=True)
class Ports:
    """What a provider is given. `ui` and `secrets` are scoped to that provider by the broker."""

    http: Http | LaterHttp
    aws: Aws
    ui: Ui
    secrets: Secrets
    clock: Clock
    browser: Browser
    folder: Path | None = None
    """Where the commands of the YAML run: the folder that it stands in."""
    security_keys: SecurityKeys = field(default_factory=_security_keys)
