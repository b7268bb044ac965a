"""The keychain: the system's through `keyring`, or the encrypted file, or none.

Owns which one is used, that plain-text ones are refused, and that a silent one ends the wait.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from broker.errors import InteractionRequired, KeychainError
from broker.paths import data_dir
from broker.ports.deadline import TimeIsUpError, within
from broker.ports.secrets import Keychain
from broker.ports.ui import Ui
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.ports.vault import Vault

SERVICE = "awslogin"
MAX_ENTRY = 1280
"""Characters that Windows' Credential Manager takes in one entry."""
PATIENCE_ALONE = 5.0
PATIENCE_WITH_A_PERSON = 120.0
"""Seconds: a person may be at the unlock dialog."""
SAY_AFTER = 1.5

_NATIVE = {
    "darwin": ("keyring.backends.macOS.Keyring",),
    "win32": ("keyring.backends.Windows.WinVaultKeyring",),
}.get(
    sys.platform,
    ("keyring.backends.SecretService.Keyring", "keyring.backends.kwallet.DBusKeyring"),
)

T = TypeVar("T")


def pinned(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a keychain or opens the vault: then CI too may cache."""
    return any(
        environ.get(name)
        for name in ("AWSLOGIN_KEYRING", "AWSLOGIN_PASSPHRASE", "PYTHON_KEYRING_BACKEND")
    )


class LazyKeychain:
    """This machine's keychain, looked for when it is needed first."""

    def __init__(self, ui: Ui, environ: Mapping[str, str] = os.environ) -> None:
        self._ui = ui
        self._environ = environ
        self._found: list[Keychain | None] = []
        self._lock = threading.Lock()

    @property
    def present(self) -> bool:
        """Whether there is one."""
        return self._keychain() is not None

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
            raise KeychainError(
                "this machine has no keychain",
                hint="start one, or set AWSLOGIN_PASSPHRASE to keep secrets in an encrypted file",
            )
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
        return None
    if name != "file":
        backend = _in_time(lambda: _backend(name, environ), ui, "looking for the keychain")
        if backend is not None:
            return SystemKeychain(backend, ui)
    return _vault(ui, environ)


class SystemKeychain:
    """A `keyring` backend that cannot hang the command."""

    present = True

    def __init__(self, backend: Any, ui: Ui) -> None:
        self._backend = backend
        self._ui = ui

    def get(self, name: str) -> Secret | None:
        """An entry, or None.

        Raises:
            KeychainError: Locked, refused or silent.
        """
        value = self._call(lambda: self._backend.get_password(SERVICE, name))
        return Secret(value) if value else None

    def set(self, name: str, value: Secret) -> None:
        """Write an entry of at most 1,280 characters on one line."""
        text = value.reveal()
        if len(text) > MAX_ENTRY or "\n" in text:
            raise KeychainError(f"the entry {name} is too long for a keychain")
        self._call(lambda: self._backend.set_password(SERVICE, name, text))

    def delete(self, name: str) -> None:
        """Remove an entry; a missing one is no error."""
        from keyring.errors import PasswordDeleteError

        def remove() -> None:
            if self._backend.get_password(SERVICE, name) is None:
                return
            try:
                self._backend.delete_password(SERVICE, name)
            except PasswordDeleteError:
                if self._backend.get_password(SERVICE, name) is not None:
                    raise

        self._call(remove)

    def _call(self, call: Callable[[], T]) -> T:
        return _in_time(call, self._ui, "the keychain")


def _backend(name: str | None, environ: Mapping[str, str]) -> Any:
    """The backend that is named, else the platform's own where it runs, else None."""
    from keyring import core

    name = name or environ.get("PYTHON_KEYRING_BACKEND")
    if name:
        try:
            return _refuse_plain(core.load_keyring(name), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise KeychainError(
                f"there is no keychain called {name}",
                hint="AWSLOGIN_KEYRING takes a keyring backend, `file` or `none`",
            ) from error
    configured = core.load_config()
    if configured is not None:
        return _refuse_plain(configured, "that keyringrc.cfg names")
    for candidate in _NATIVE:
        try:
            return core.load_keyring(candidate)
        except Exception:  # noqa: BLE001, S112 - a backend that cannot run here says so in its own way
            continue
    return None


def _refuse_plain(backend: Any, name: str) -> Any:
    for member in [*getattr(backend, "backends", []), backend]:
        kinds = [kind.__name__.lower() for kind in type(member).__mro__]
        module = type(member).__module__
        if any("plaintext" in kind for kind in kinds) or module in {
            "keyring.backends.null",
            "keyring.backends.fail",
        }:
            raise KeychainError(
                f"the keychain {name} does not protect secrets, so it is refused",
                hint="unset it, or set AWSLOGIN_KEYRING=file and AWSLOGIN_PASSPHRASE",
            )
    return backend


def _in_time(call: Callable[[], T], ui: Ui, what: str) -> T:
    """Run a call that may hang (D-Bus, an unlock dialog) and give up in time."""
    patience = PATIENCE_WITH_A_PERSON if ui.interactive else PATIENCE_ALONE

    def say() -> None:
        if ui.interactive:
            ui.progress("waiting for the keychain (is an unlock dialog open?)")

    try:
        return within(patience, call, late=say, late_after=SAY_AFTER)
    except KeychainError:
        raise
    except TimeIsUpError:
        raise KeychainError(
            f"{what} did not answer within {patience:.0f} s",
            hint="unlock the keychain, or set AWSLOGIN_KEYRING=file and AWSLOGIN_PASSPHRASE",
        ) from None
    except Exception as error:
        raise KeychainError(
            f"{what} failed: {type(error).__name__}",
            hint="unlock the keychain, or set AWSLOGIN_KEYRING=file and AWSLOGIN_PASSPHRASE",
        ) from error


def _vault(ui: Ui, environ: Mapping[str, str]) -> Vault | None:
    """The encrypted file, where its passphrase is given or a person can type it."""
    given = environ.get("AWSLOGIN_PASSPHRASE")
    if not given and not ui.interactive:
        return None
    from broker.ports.vault import Vault

    path = data_dir(environ) / "vault"

    def passphrase(new: bool, attempt: int) -> Secret:  # noqa: FBT001
        if given:
            if attempt:
                raise KeychainError(
                    f"AWSLOGIN_PASSPHRASE does not open the vault {path}",
                    hint="set the passphrase the vault was made with",
                )
            return Secret(given)
        return _ask_passphrase(ui, new=new, again=attempt > 0)

    return Vault(path, passphrase)


def _ask_passphrase(ui: Ui, *, new: bool, again: bool) -> Secret:
    """Ask on the terminal; twice where the vault is being made."""
    try:
        if not new:
            question = "Wrong passphrase. Passphrase" if again else "Passphrase"
            return Secret(ui.ask(f"{question} of the awslogin vault", secret=True))
        ui.show("This machine has no keychain: secrets go to an encrypted file.")
        while True:
            first = ui.ask("New passphrase for the awslogin vault", secret=True)
            if first == ui.ask("The same passphrase again", secret=True):
                return Secret(first)
            ui.show("The two differ.")
    except InteractionRequired as error:
        raise KeychainError(
            "the awslogin vault is locked", hint="set AWSLOGIN_PASSPHRASE"
        ) from error
