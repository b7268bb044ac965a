"""One security key through `fido2`: PIN, touch, signature.

Owns the words for what a key answers; imported where a key is asked, as `fido2` is an extra.
"""

from __future__ import annotations

from typing import Any

from fido2.client import (
    ClientError,
    DefaultClientDataCollector,
    Fido2Client,
    PinRequiredError,
)
from fido2.ctap import CtapError
from fido2.ctap2.base import Ctap2
from fido2.ctap2.pin import ClientPin
from fido2.hid import ConnectionFailure
from fido2.webauthn import (
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRequestOptions,
    PublicKeyCredentialType,
    UserVerificationRequirement,
)

from broker.errors import LoginRefused
from broker.ports.ui import Ui
from broker.ports.urls import host_of
from broker.ports.webauthn import KeyAnswer, KeyChallenge, page_origin
from broker.terminal_text import one_line

PINS = 3
"""PINs that a person may type: after so many wrong ones in a row a key wants to be replugged."""
LEAST_SECONDS, MOST_SECONDS = 15, 120
"""What a person has to touch the key, whatever the page says."""
_VERIFIES = ("uv", "clientPin", "bioEnroll")
_BROKEN = (OSError, ValueError, TypeError, LookupError, ConnectionFailure)
"""What `fido2` raises of a key that is pulled out, or answers nonsense."""
_WRONG_PIN = {CtapError.ERR.PIN_INVALID, CtapError.ERR.PIN_AUTH_INVALID}


def signed(device: Any, name: str, asked: KeyChallenge, rp_id: str, ui: Ui) -> KeyAnswer:
    """The key's signature.

    Args:
        device: The key.
        name: What a person knows it by.
        asked: What the page asks.
        rp_id: In whose name; checked against the page.
        ui: The person.

    Raises:
        LoginRefused: It does not sign.
    """
    collector = DefaultClientDataCollector(page_origin(asked.page), lambda *_: True)
    person: Any = _Person(ui, name, host_of(asked.page))
    try:
        client = Fido2Client(device, collector, person)
    except _BROKEN as error:
        raise _refusal(error, None) from None
    options = _options(asked, rp_id, client)
    for left in reversed(range(PINS)):
        try:
            found = client.get_assertion(options).get_response(0)
        except (ClientError, CtapError, *_BROKEN) as error:
            cause = getattr(error.cause if isinstance(error, ClientError) else error, "code", None)
            if cause not in _WRONG_PIN or not left:
                raise _refusal(error, cause) from None
            left_in_all = _tries(device)
            tries = "" if left_in_all is None else f"; {left_in_all} tries left before it locks"
            ui.show(f"That PIN of {name} is wrong{tries}.")
            continue
        return KeyAnswer(
            found.raw_id,
            bytes(found.response.client_data),
            bytes(found.response.authenticator_data),
            found.response.signature,
            found.response.user_handle,
        )
    raise AssertionError("unreachable")


class _Person:
    """`fido2`'s UserInteraction: asks for the PIN, and says when the key waits for a touch."""

    def __init__(self, ui: Ui, name: str, host: str) -> None:
        self._ui = ui
        self._name = name
        self._host = host
        self._asked_for_touch = False

    def prompt_up(self) -> None:
        """The key waits for a touch."""
        if not self._asked_for_touch:
            self._asked_for_touch = True
            self._ui.waiting(f"touch {self._name} to sign in at {self._host}")

    def request_pin(self, permissions: Any, rp_id: str | None) -> str:
        """The key's PIN."""
        del permissions, rp_id
        return self._ui.ask(f"PIN of {self._name}, to sign in at {self._host}", secret=True)

    def request_uv(self, permissions: Any, rp_id: str | None) -> bool:
        """The key reads a finger itself."""
        del permissions, rp_id
        self._ui.waiting(f"put your finger on {self._name} to sign in at {self._host}")
        return True


def _options(
    asked: KeyChallenge, rp_id: str, client: Fido2Client
) -> PublicKeyCredentialRequestOptions:
    """What the key is asked; a PIN that is only preferred is not wanted of a key without one."""
    verification = UserVerificationRequirement(asked.verification)
    can = client.info.options
    if verification is UserVerificationRequirement.PREFERRED and not any(map(can.get, _VERIFIES)):
        verification = UserVerificationRequirement.DISCOURAGED
    seconds = min(max(asked.seconds, LEAST_SECONDS), MOST_SECONDS)
    return PublicKeyCredentialRequestOptions(
        challenge=asked.challenge,
        timeout=int(seconds * 1000),
        rp_id=rp_id,
        allow_credentials=[
            PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=credential)
            for credential in asked.credentials
        ]
        or None,
        user_verification=verification,
    )


def _tries(device: Any) -> int | None:
    try:
        return int(ClientPin(Ctap2(device)).get_pin_retries()[0])
    except (CtapError, ValueError, OSError):
        return None


def _refused(why: str, hint: str) -> LoginRefused:
    return LoginRefused(f"the security key {why}", hint=hint)


def _refusal(error: Exception, cause: Any) -> LoginRefused:
    """Why a key does not sign, and the mend."""
    code = error.code if isinstance(error, ClientError) else None
    ways = {
        CtapError.ERR.PIN_AUTH_BLOCKED: (
            "takes no more PINs for now: three were wrong",
            "unplug it, plug it in again, and be sure of the PIN",
        ),
        CtapError.ERR.PIN_BLOCKED: (
            "is locked: too many wrong PINs",
            "it has to be reset, which loses what it holds; sign in with another factor",
        ),
        CtapError.ERR.PIN_INVALID: ("refused the PIN", "be sure of the PIN, then run it again"),
        CtapError.ERR.UV_BLOCKED: (
            "takes no more fingers for now",
            "unplug it, plug it in again, and give its PIN",
        ),
    }
    if cause in ways:
        return _refused(*ways[cause])
    if isinstance(error, PinRequiredError):
        return _refused("wants its PIN", "run it again and give the PIN")
    return {
        ClientError.ERR.DEVICE_INELIGIBLE: _refused(
            "is not one that this account has registered", "use the one that is registered there"
        ),
        ClientError.ERR.TIMEOUT: _refused("was not touched in time", "run it again and touch it"),
        ClientError.ERR.CONFIGURATION_UNSUPPORTED: _refused(
            "has no PIN, and the site wants one", "set a PIN for it, or use `idp: browser`"
        ),
    }.get(
        code or ClientError.ERR.OTHER_ERROR,
        _refused(
            f"answered with an error ({one_line(str(cause or error), 80)})",
            "plug it in again and run it again, or use `idp: browser`",
        ),
    )
