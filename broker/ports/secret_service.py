"""The Secret Service's entries, read as `keyring` reads them, without what that loads besides.

Owns reading alone: `keyring` writes, and does all where a person has configured it. Source:
keyring's `backends/SecretService.py`, freedesktop.org's "Secret Service API".
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any


class SecretService:
    """What `keyring.backends.SecretService.Keyring` is, with a shorter way to an entry."""

    def get_password(self, service: str, name: str) -> str | None:
        """An entry of the default collection, which is unlocked by the desktop's own dialog.

        Raises:
            keyring.errors.KeyringLocked: The dialog was dismissed.
        """
        import secretstorage

        with closing(secretstorage.dbus_init()) as bus:
            collection = secretstorage.get_default_collection(bus)
            _unlock(collection)
            for item in collection.search_items({"username": name, "service": service}):
                _unlock(item)
                return item.get_secret().decode()
        return None

    def set_password(self, service: str, name: str, password: str) -> None:
        """Write an entry."""
        _by_keyring().set_password(service, name, password)

    def delete_password(self, service: str, name: str) -> None:
        """Remove an entry."""
        _by_keyring().delete_password(service, name)


def unconfigured(environ: Mapping[str, str]) -> SecretService | None:
    """The one that answers on the desktop's bus; None where `keyring` must say what there is."""
    folder = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", "python_keyring")
    is_configured = (folder / "keyringrc.cfg").exists() or any(
        name.startswith("KEYRING_PROPERTY_") for name in environ
    )
    if sys.platform != "linux" or is_configured:
        return None
    try:
        import secretstorage

        with closing(secretstorage.dbus_init()) as bus:
            return SecretService() if secretstorage.check_service_availability(bus) else None
    except Exception:  # noqa: BLE001 - it fails in many ways; `keyring` knows what else there is
        return None


def _unlock(locked: Any) -> None:
    """Unlock a collection or an item."""
    if locked.is_locked():
        locked.unlock()
        if locked.is_locked():
            from keyring.errors import KeyringLocked

            raise KeyringLocked("it stayed locked")


def _by_keyring() -> Any:
    from keyring.backends.SecretService import Keyring

    return Keyring()  # type: ignore[no-untyped-call]
