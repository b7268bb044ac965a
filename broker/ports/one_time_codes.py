"""The one-time codes of one device, none of which is sent twice."""

from __future__ import annotations

from collections.abc import Callable

from broker.errors import LoginRefused
from broker.ports import Ports
from broker.ports.totp import totp_of
from broker.secret import Secret

WINDOW_SECONDS = 30.0
"""For which most devices show one code."""
_TRIES = 3


class OneTimeCodes:
    """The codes of one device.

    Args:
        ports: The clock, and the notes of used codes.
        device: Names the device for every process and profile: its serial, for example.
    """

    def __init__(self, ports: Ports, device: str) -> None:
        self._ports = ports
        self._device = device

    def spend(self, code: str) -> bool:
        """Note that a code is about to be sent; False when it was sent before."""
        return self._ports.secrets.spend(self._device, code)

    def of_seed(self, seed: Secret) -> str:
        """A seed's code of now; where that was sent, the next one."""
        totp = totp_of(seed)

        def now() -> str:
            return totp.at(int(self._ports.clock.now().timestamp()))

        return self.unused(now, "the seed in the keychain", window=totp.interval)

    def unused(
        self, make: Callable[[], str], source: str, *, window: float = WINDOW_SECONDS
    ) -> str:
        """A code that was not sent yet; where this window's was, a later one's.

        Args:
            make: Gives the code of the moment.
            source: Who that is, for messages.
            window: Seconds that one code is shown.

        Raises:
            LoginRefused: Each code was sent before.
        """
        clock = self._ports.clock
        for left in reversed(range(_TRIES)):
            code = make()
            if self.spend(code):
                return code
            if left:
                self._ports.ui.progress("waiting for the next one-time code")
                clock.sleep(window - clock.now().timestamp() % window + 0.5)
        raise LoginRefused(f"{source} gives a code that was used already", hint="try again later")
