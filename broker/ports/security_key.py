"""FIDO2 security keys: a page's challenge, answered by a key that a person touches.

Owns which key is used, its PIN, and for whom it may sign: a page of one site never gets the answer
for another's. Source: W3C Web Authentication, section 7.2 and "registrable domain suffix"; CTAP
2.1. The keys are talked to by `fido2`, which is an extra.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from broker.errors import ConfigError, InteractionRequired, LoginRefused, UnexpectedReply
from broker.ports.urls import host_of, is_loopback, origin, require_safe
from broker.terminal_text import one_line

if TYPE_CHECKING:
    from broker.ports.ui import Ui

INSTALL = "pip install 'awslogin[fido]'"
PINS = 3
"""PINs that a person may type: after so many wrong ones in a row a key wants to be replugged."""
LEAST_SECONDS, MOST_SECONDS, USUAL_SECONDS = 15, 120, 60
"""What a person has to touch the key, whatever the page says."""


@dataclass(frozen=True)
class KeyChallenge:
    """What a page asks of a key.

    Attributes:
        page: The address of the page that asks.
        challenge: Random bytes that come back signed.
        rp_id: For whom the key was registered; the page's own host where the page does not say.
        credentials: The ids of the person's keys; empty for a passkey that the key itself finds.
        verification: `required`, `preferred` or `discouraged`: whether the PIN is wanted.
        seconds: What the page gives the person.
    """

    page: str
    challenge: bytes
    rp_id: str = ""
    credentials: Sequence[bytes] = ()
    verification: str = "preferred"
    seconds: float = USUAL_SECONDS


@dataclass(frozen=True)
class KeyAnswer:
    """What the key signed.

    Attributes:
        credential: The id of the key.
        client_data: The JSON that names challenge and origin.
        authenticator_data: The hash of the rp id, the flags and the counter.
        signature: Over both.
        user_handle: Whom a passkey stands for, if it says.
    """

    credential: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None = None


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
        return self.are_supported and bool(self._found())

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
        rp_id = _permitted(asked)
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


def _permitted(asked: KeyChallenge) -> str:
    """The rp id, where the page may ask for it."""
    require_safe(asked.page)
    host = urlsplit(asked.page).hostname or ""
    rp_id = asked.rp_id or host
    if rp_id == host:
        return rp_id
    from fido2.rpid import verify_rp_id

    whole_domain = "." not in rp_id  # the list's last rule: what it does not know is one for all
    if is_loopback(host) or whole_domain or not verify_rp_id(rp_id, page_origin(asked.page)):
        raise UnexpectedReply(
            f"{host_of(asked.page)} asks for a signature in the name of {one_line(rp_id, 80)},"
            " which is another site; no key was asked",
            hint="do not sign in there: tell whoever runs it",
        )
    return rp_id


def page_origin(url: str) -> str:
    """An address's origin as browsers write it: the port only where it is not the usual one."""
    scheme, _, rest = origin(url).partition("://")
    usual = {"https": ":443", "http": ":80"}[scheme]
    return f"{scheme}://{rest.removesuffix(usual)}"


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


def wrong_pin(left: int | None) -> str:
    """What a person is told after a wrong PIN."""
    tries = "" if left is None else f"; {left} tries left before the key locks itself"
    return f"That PIN is wrong{tries}."


def refused(why: str, hint: str) -> LoginRefused:
    """A key that does not sign."""
    return LoginRefused(f"the security key {why}", hint=hint)
