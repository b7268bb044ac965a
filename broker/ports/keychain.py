"""The keychain: the system's through `keyring`, or the encrypted file, or none.

Owns which of them is used, that a silent one ends the wait, and that what was written is kept.
Backends of `keyring` are found by `broker.ports.keyring_backend`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from broker.errors import KeychainError
from broker.ports import keyring_backend
from broker.ports.deadline import TimeIsUpError, within
from broker.ports.entries import MAX_ENTRY_CHARACTERS
from broker.ports.secrets import MEND_WHERE_NONE, Keychain
from broker.ports.ui import Ui
from broker.ports.vault_passphrase import vault_here
from broker.secret import Secret

PATIENCE_ALONE = 5.0
PATIENCE_WITH_A_PERSON = 120.0
"""Seconds: a person may be at the unlock dialog."""
SAY_AFTER = 1.5
SILENT_SECONDS = 60.0
"""A keychain that did not answer is not asked anew for so long: a command waits for it once."""
_UNLOCK = {
    "darwin": "run `security unlock-keychain` (over SSH the keychain is locked), or",
    "win32": "sign in to Windows with a desktop or a batch logon, or",
}.get(sys.platform, "unlock the keychain, or")
_MEND = f"{_UNLOCK} set AWSLOGIN_KEYRING=file and AWSLOGIN_PASSPHRASE"

T = TypeVar("T")


def pinned(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a keychain or opens the vault: then CI too may cache."""
    return any(
        environ.get(name)
        for name in ("AWSLOGIN_KEYRING", "AWSLOGIN_PASSPHRASE", "PYTHON_KEYRING_BACKEND")
    )


opened: LazyKeychain | None = None
"""What this process has used before there was a `Broker` (`broker.kept_variant`)."""


class LazyKeychain:
    """This machine's keychain, looked for when it is needed first."""

    def __init__(
        self,
        ui: Ui,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._ui = ui
        self._environ = environ
        self._found: list[Keychain | None] = []
        self._lock = threading.Lock()

    @property
    def present(self) -> bool:
        """Whether there is one that can be opened."""
        keychain = self._keychain()
        return keychain is not None and keychain.present

    @property
    def mend(self) -> str:
        """What to do where there is none."""
        return getattr(self._keychain(), "mend", MEND_WHERE_NONE)

    def get(self, name: str) -> Secret | None:
        """An entry, or None; None too where there is no keychain."""
        keychain = self._keychain()
        return keychain.get(name) if keychain else None

    def set(self, name: str, value: Secret) -> None:
        """Write an entry.

        Raises:
            KeychainError: There is no keychain, or it is locked or silent.
        """
        keychain = self._keychain()
        if keychain is None:
            raise KeychainError("this machine has no keychain", hint=self.mend)
        keychain.set(name, value)

    def delete(self, name: str) -> None:
        """Remove an entry, if there is one."""
        keychain = self._keychain()
        if keychain:
            keychain.delete(name)

    def _keychain(self) -> Keychain | None:
        with self._lock:
            if not self._found:
                self._found.append(_open(self._ui, self._environ))
            return self._found[0]


def _open(ui: Ui, environ: Mapping[str, str]) -> Keychain | None:
    """This machine's keychain, or None where there is neither one nor a passphrase for the vault.

    Raises:
        KeychainError: The one that is named does not exist, does not answer, or is plain text.
    """
    name = environ.get("AWSLOGIN_KEYRING")
    if name == "none":
        return NoKeychain("AWSLOGIN_KEYRING=none keeps nothing: unset it, or name another keychain")
    if name != "file":
        backend = _in_time(
            lambda: keyring_backend.find(name, environ), ui, "looking for the keychain"
        )
        if backend is not None:
            return SystemKeychain(backend, ui)
    return vault_here(ui, environ)


class NoKeychain:
    """The person wants none: nothing is found, nothing is kept.

    Attributes:
        mend: What would give them one.
    """

    present = False

    def __init__(self, mend: str) -> None:
        self.mend = mend

    def get(self, name: str) -> Secret | None:
        """Nothing."""
        del name
        return None

    def set(self, name: str, value: Secret) -> None:
        """Refused.

        Raises:
            KeychainError: Always.
        """
        del name, value
        raise KeychainError("no keychain is wanted here", hint=self.mend)

    def delete(self, name: str) -> None:
        """Nothing is there."""


class SystemKeychain:
    """A `keyring` backend that cannot hang the command."""

    present = True

    def __init__(self, backend: Any, ui: Ui) -> None:
        self._backend = backend
        self._ui = ui
        self._silent: KeychainError | None = None
        self._silent_until = 0.0

    def get(self, name: str) -> Secret | None:
        """An entry, or None.

        Raises:
            KeychainError: Locked, refused or silent.
        """
        value = self._call(lambda: self._backend.get_password(self._service(name), name))
        return Secret(value) if value else None

    def set(self, name: str, value: Secret) -> None:
        """Write an entry of at most 1,280 characters on one line, and see that it is kept.

        KWallet says nothing when it did not write, and `pass` keeps the first line alone.

        Raises:
            KeychainError: Too long, locked, refused or silent; or another text comes back.
        """
        text = value.reveal()
        if len(text) > MAX_ENTRY_CHARACTERS or len(text.splitlines()) > 1:
            raise KeychainError(f"the entry {name} is too long for a keychain")

        def write() -> str | None:
            self._backend.set_password(self._service(name), name, text)
            read_back: str | None = self._backend.get_password(self._service(name), name)
            return read_back

        if self._call(write) != text:
            raise KeychainError(f"the keychain did not keep the entry {name}", hint=_MEND)

    def delete(self, name: str) -> None:
        """Remove an entry; a missing one is no error."""
        from keyring.errors import PasswordDeleteError

        service = self._service(name)

        def remove() -> None:
            if self._backend.get_password(service, name) is None:
                return
            try:
                self._backend.delete_password(service, name)
            except PasswordDeleteError:
                if self._backend.get_password(service, name) is not None:
                    raise

        self._call(remove)

    def _service(self, name: str) -> str:
        """The service of an entry; on Windows each has its own.

        Its backend moves the entries of one service about when a further one is written, and two
        processes at it lose one.
        """
        own = type(self._backend).__name__ == "WinVaultKeyring"
        return f"{keyring_backend.SERVICE}/{name}" if own else keyring_backend.SERVICE

    def _call(self, call: Callable[[], T]) -> T:
        if self._silent and time.monotonic() < self._silent_until:
            raise self._silent
        try:
            return _in_time(call, self._ui, "the keychain")
        except KeychainError as error:
            if isinstance(error.__context__, TimeIsUpError):
                self._silent, self._silent_until = error, time.monotonic() + SILENT_SECONDS
            raise


def _in_time(call: Callable[[], T], ui: Ui, what: str) -> T:
    """Run a call that may hang (D-Bus, an unlock dialog) and give up in time."""
    patience = PATIENCE_WITH_A_PERSON if ui.interactive else PATIENCE_ALONE

    def say() -> None:
        if ui.interactive:
            ui.waiting("waiting for the keychain (is an unlock dialog open?)")

    try:
        return within(patience, call, late=say, late_after=SAY_AFTER)
    except KeychainError:
        raise
    except TimeIsUpError:
        raise KeychainError(
            f"{what} did not answer within {patience:.0f} s",
            hint=_MEND,
        ) from None
    except Exception as error:
        raise KeychainError(
            f"{what} failed: {type(error).__name__}",
            hint=_MEND,
        ) from error
