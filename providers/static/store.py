"""Where a user's keys lie in the keychain: four entries per profile, each written once.

    keys/PROFILE      the pair that signs
    rotation/PROFILE  a rotation has begun: the old key's id, and which keys there were
    rotated/PROFILE   the new pair of that rotation
    parked/PROFILE    the id of an old key that a rotation left inactive

Not every keychain replaces an entry in one step (macOS deletes and adds), so a rotation never
overwrites the only copy of a pair: `rotated` holds the new one until all is done.
"""

from __future__ import annotations

import json
from typing import Any

from broker.errors import KeychainError
from broker.ports.secrets import Secrets
from broker.provider import Credentials
from broker.secret import Secret


class KeyStore:
    """The keychain entries of one provider's users."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def keys(self, profile: str) -> Credentials | None:
        """The pair that signs; where it is missing, the one that an interrupted rotation made."""
        stored = self._secrets.get(f"keys/{profile}")
        return _pair(stored) if stored else self.rotated(profile)

    def require(self, profile: str) -> Credentials:
        """The pair that signs.

        Raises:
            KeychainError: There is none.
        """
        found = self.keys(profile)
        if found:
            return found
        return _pair(
            self._secrets.require(
                f"keys/{profile}",
                f"keys for {profile}",
                hint=f"`awslogin add {profile}` stores them",
            )
        )

    def put(self, profile: str, keys: Credentials) -> None:
        """Make this the pair that signs."""
        self._secrets.set(f"keys/{profile}", _entry(keys))

    def forget(self, profile: str) -> bool:
        """Remove all four entries; whether there were keys."""
        there = self.keys(profile) is not None
        for kind in ("keys", "rotation", "rotated", "parked"):
            self._secrets.delete(f"{kind}/{profile}")
        return there

    def begin_rotation(self, profile: str, record: dict[str, Any]) -> None:
        """Note, before a key is made, that one is going to be."""
        self._secrets.set(f"rotation/{profile}", Secret(json.dumps(record)))

    def rotation(self, profile: str) -> dict[str, Any] | None:
        """What `begin_rotation` noted, or None."""
        stored = self._secrets.get(f"rotation/{profile}")
        record: dict[str, Any] | None = json.loads(stored.reveal()) if stored else None
        return record

    def stage(self, profile: str, keys: Credentials) -> None:
        """Keep the new pair beside the old one."""
        self._secrets.set(f"rotated/{profile}", _entry(keys))

    def rotated(self, profile: str) -> Credentials | None:
        """The new pair of a rotation that is not done, or None."""
        stored = self._secrets.get(f"rotated/{profile}")
        return _pair(stored) if stored else None

    def end_rotation(self, profile: str) -> None:
        """Forget the rotation. The note goes first: a new pair without it is one that signs."""
        self._secrets.delete(f"rotation/{profile}")
        self._secrets.delete(f"rotated/{profile}")

    def park(self, profile: str, key_id: str) -> None:
        """Remember an old key that was left inactive; the next rotation makes room of it."""
        self._secrets.set(f"parked/{profile}", Secret(key_id))

    def parked(self, profile: str) -> str | None:
        """The id of the key that `park` remembers, or None."""
        stored = self._secrets.get(f"parked/{profile}")
        return stored.reveal() if stored else None

    def unpark(self, profile: str) -> None:
        """Forget the parked key."""
        self._secrets.delete(f"parked/{profile}")


def _entry(keys: Credentials) -> Secret:
    document = {
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key.reveal(),
    }
    return Secret(json.dumps(document))


def _pair(stored: Secret) -> Credentials:
    try:
        document = json.loads(stored.reveal())
        return Credentials(document["AccessKeyId"], Secret(document["SecretAccessKey"]))
    except (ValueError, KeyError, TypeError):
        raise KeychainError(
            "the keychain's entry is not a pair of keys", hint="`awslogin add` stores it anew"
        ) from None
