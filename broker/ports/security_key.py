"""FIDO2 security keys: a page's challenge, answered by a key that a person touches.

Owns which key is asked, and that a page of one site never gets the answer for another's. The keys
are talked to by `fido2`, which is an extra.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from broker.errors import ConfigError, InteractionRequired
from broker.ports.urls import host_of
from broker.ports.webauthn import KeyAnswer, KeyChallenge, permitted_rp_id
from broker.terminal_text import one_line

if TYPE_CHECKING:
    from broker.ports.ui import Ui

INSTALL = "pip install 'awslogin[fido]'"


class SecurityKeys:
    """The keys that are plugged into this machine.

    Args:
        devices: Finds them; by default on USB.
    """

    def __init__(self, devices: Callable[[], Iterable[Any]] | None = None) -> None:
        self._devices = devices

    @property
    def are_supported(self) -> bool:
        """Whether the extra is installed."""
        return importlib.util.find_spec("fido2") is not None

    def are_present(self) -> bool:
        """Whether one is plugged in that could be asked."""
        found = self._found() if self.are_supported else []
        for device in found:
            device.close()
        return bool(found)

    def answer(self, asked: KeyChallenge, ui: Ui) -> KeyAnswer:
        """Let the person's key sign a challenge.

        Raises:
            ConfigError: The extra is not installed.
            InteractionRequired: Nobody is here to touch a key, or none is plugged in.
            LoginRefused: The key does not know the account, its PIN is wrong, or nobody touched it.
            UnexpectedReply: The page asks for another site's signature; no key was asked.
        """
        host = host_of(asked.page)
        if not self.are_supported:
            raise ConfigError(
                f"{host} asks for a security key, and the package that talks to one is not"
                " installed",
                hint=f"{INSTALL}; or `idp: browser`",
            )
        rp_id = permitted_rp_id(asked)
        if not ui.interactive:
            raise InteractionRequired(
                f"{host} asks for a security key, which a person has to touch",
                hint="run it on a terminal of the machine that the key is plugged into",
            )
        found = self._found()
        if not found:
            raise InteractionRequired(
                f"{host} asks for a security key, and none is plugged in here{_on_linux()}",
                hint="plug it in and run it again, or use `idp: browser`",
            )
        names = _names(found)
        chosen = ui.choose("Which security key?", names)
        try:
            from broker.ports.security_key_client import signed

            return signed(found[chosen], names[chosen], asked, rp_id, ui)
        finally:
            for device in found:
                device.close()

    def _found(self) -> list[Any]:
        if self._devices:
            return list(self._devices())
        from fido2.hid import CtapHidDevice

        try:
            return list(CtapHidDevice.list_devices())
        except OSError:  # no USB here, or it may not be read
            return []


def _names(devices: Sequence[Any]) -> list[str]:
    """What the keys call themselves; equal ones are told apart by a number."""
    names: list[str] = []
    for device in devices:
        name = one_line(str(getattr(device, "product_name", "") or "security key"), 60)
        seen = sum(known.partition(" (")[0] == name for known in names)
        names.append(f"{name} ({seen + 1})" if seen else name)
    return names


def _on_linux() -> str:
    readable = sys.platform != "linux"
    return "" if readable else " (or udev does not let you read it)"
