"""What providers keep. Long-lived secrets go to the keychain, short-lived ones are sealed on disk.

Scoped by the broker: two providers, two people, two sites or two endpoints never see each other's
entries. The keychain itself is `broker.ports.keychain`, what an entry is for
`broker.ports.bound_keychain`, the sealing `broker.seal`.
"""

from __future__ import annotations

import json
from copy import copy
from datetime import datetime
from typing import Any, Protocol, Self

from broker.errors import KeychainError
from broker.ports.clock import Clock, from_text, to_text
from broker.ports.used_codes import UsedCodes
from broker.secret import Secret

MEND_WHERE_NONE = "start one, or set AWSLOGIN_PASSPHRASE, which opens the encrypted file"
"""Where the machine has no keychain."""


class Keychain(Protocol):
    """A keychain. `present` is False where the machine has none: then `get` finds nothing."""

    @property
    def present(self) -> bool: ...  # noqa: D102
    def get(self, name: str) -> Secret | None: ...  # noqa: D102
    def set(self, name: str, value: Secret) -> None: ...  # noqa: D102
    def delete(self, name: str) -> None: ...  # noqa: D102


class Unlocked(Protocol):
    """Keys that another command has unlocked, held by the agent; empty where there is none."""

    def recall(self, name: str) -> Secret | None: ...  # noqa: D102
    def keep(self, name: str, value: Secret) -> None: ...  # noqa: D102


class Locked:
    """No agent: nothing is kept unlocked between two commands."""

    def recall(self, name: str) -> Secret | None:
        """Nothing."""
        del name
        return None

    def keep(self, name: str, value: Secret) -> None:
        """Forget it at once."""


class Sealed(Protocol):
    """What this port needs of sealed storage."""

    def read(self, name: str) -> bytes | None: ...  # noqa: D102
    def write(self, name: str, content: bytes) -> None: ...  # noqa: D102
    def delete(self, name: str) -> None: ...  # noqa: D102


class Secrets:
    """One provider's secrets.

    Args:
        keychain: Where long-lived secrets lie.
        sealed: Where short-lived ones lie.
        clock: Decides what has expired.
        scope: Prefix of the keychain entries, where several providers share the keychain.
        sign_in: Names the sign-in: all that shapes it, hashed.
        used_codes: The one-time codes that were sent; without it, those of this object alone.
    """

    def __init__(
        self,
        keychain: Keychain,
        sealed: Sealed,
        clock: Clock,
        *,
        sign_in: str,
        scope: str = "",
        used_codes: UsedCodes | None = None,
    ) -> None:
        self._keychain = keychain
        self._sealed = sealed
        self._clock = clock
        self._prefix = f"{scope}/" if scope else ""
        self._sign_in = sign_in
        self._used_codes = used_codes or UsedCodes(None, clock)

    def get(self, name: str) -> Secret | None:
        """A long-lived secret from the keychain.

        Raises:
            KeychainError: The keychain is missing, locked or silent.
        """
        return self._keychain.get(f"{self._prefix}{name}")

    @property
    def has_keychain(self) -> bool:
        """Whether long-lived secrets can be kept here."""
        return self._keychain.present

    def require(self, name: str, what: str, *, hint: str) -> Secret:
        """A long-lived secret without which nothing goes on.

        Args:
            name: Within this provider.
            what: What is missing, for the message.
            hint: The command that stores it.

        Raises:
            KeychainError: It is not there, or the keychain is missing, locked or silent.
        """
        value = self.get(name)
        if value is None and not self._keychain.present:
            raise KeychainError(
                f"no keychain opens here, so there are no {what}",
                hint=getattr(self._keychain, "mend", MEND_WHERE_NONE),
            )
        if value is None:
            raise KeychainError(f"the keychain holds no {what}", hint=hint)
        return value

    def set(self, name: str, value: Secret) -> None:
        """Put a long-lived secret into the keychain; at most 1,280 characters (Windows)."""
        self._keychain.set(f"{self._prefix}{name}", value)

    def delete(self, name: str) -> None:
        """Remove a long-lived secret from the keychain; a missing one is no error."""
        self._keychain.delete(f"{self._prefix}{name}")

    def recall(self, name: str) -> dict[str, Any] | None:
        """What `remember` kept under this sign-in, unless it has expired or can't be unsealed."""
        content = self._sealed.read(self._entry(name))
        if content is None:
            return None
        document = json.loads(content)
        if document["until"] and from_text(document["until"]) <= self._clock.now():
            return None
        value: dict[str, Any] = document["value"]
        return value

    def remember(self, name: str, value: dict[str, Any], *, until: datetime | None) -> None:
        """Seal a short-lived secret (a token, an assertion, cookies) for later commands.

        Args:
            name: Within this sign-in.
            value: JSON-able; secrets as plain strings.
            until: When it is worthless, UTC; None where its end is unknown.
        """
        document = {"value": value, "until": to_text(until) if until else None}
        self._sealed.write(self._entry(name), json.dumps(document).encode())

    def forget(self, name: str) -> None:
        """Drop what `remember` kept."""
        self._sealed.delete(self._entry(name))

    def within(self, part: str) -> Self:
        """The same, for a sign-in of its own beside this one; `logout` forgets both together.

        Args:
            part: Names it among those of this provider.
        """
        other = copy(self)
        vars(other).update(_sign_in=f"{self._sign_in}-{part}")
        return other

    def spend(self, device: str, code: str) -> bool:
        """Note that a one-time code is about to be sent; False when this machine sent it before.

        Args:
            device: Names the device for every process and profile: its serial, for example.
            code: What it shows.
        """
        return self._used_codes.spend(device, code)

    def _entry(self, name: str) -> str:
        return f"signin-{self._sign_in}-{name}"
