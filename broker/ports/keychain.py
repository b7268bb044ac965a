"""The keychain: the system's through `keyring`, or the encrypted file, or none.

Owns which one is used, that plain-text ones are refused, that a silent one ends the wait, and what
the platforms' keychains do differently (`docs/keychains.md`).
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from broker.errors import InteractionRequired, KeychainError
from broker.paths import data_dir
from broker.ports.deadline import TimeIsUpError, within
from broker.ports.entries import MAX_ENTRY_CHARACTERS
from broker.ports.secrets import Keychain, Unlocked
from broker.ports.ui import Ui
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.ports.vault import Vault

SERVICE = "awslogin"
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

NAMES = {
    "secret-service": "keyring.backends.SecretService.Keyring",
    "kwallet": "keyring.backends.kwallet.DBusKeyring",
    "macos": "keyring.backends.macOS.Keyring",
    "windows": "keyring.backends.Windows.WinVaultKeyring",
    "pass": "keyring_pass.PasswordStoreBackend",
}
"""Short names that AWSLOGIN_KEYRING takes beside a backend's own, `file` and `none`."""
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


class LazyKeychain:
    """This machine's keychain, looked for when it is needed first."""

    def __init__(
        self,
        ui: Ui,
        environ: Mapping[str, str] = os.environ,
        unlocked: Unlocked | None = None,
    ) -> None:
        self._ui = ui
        self._unlocked = unlocked
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
                self._found.append(_open(self._ui, self._environ, self._unlocked))
            return self._found[0]


def _open(ui: Ui, environ: Mapping[str, str], unlocked: Unlocked | None) -> Keychain | None:
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
    return _vault(ui, environ, unlocked)


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
            kept: str | None = self._backend.get_password(self._service(name), name)
            return kept

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
        return f"{SERVICE}/{name}" if own else SERVICE

    def _call(self, call: Callable[[], T]) -> T:
        return _in_time(call, self._ui, "the keychain")


def _backend(name: str | None, environ: Mapping[str, str]) -> Any:
    """The backend that is named, else the platform's own where it runs, else None."""
    from keyring import core

    name = name or environ.get("PYTHON_KEYRING_BACKEND")
    if name:
        try:
            if name in {"pass", NAMES["pass"]}:
                _quieten_pass()
            return _ours(core.load_keyring(NAMES.get(name, name)), name)
        except (ImportError, AttributeError, ValueError) as error:
            missing = name == "pass" and isinstance(error, ImportError)
            raise KeychainError(
                f"there is no keychain called {name}",
                hint="`pipx inject awslogin keyring-pass` brings it"
                if missing
                else f"AWSLOGIN_KEYRING takes {', '.join(NAMES)}, `file`, `none`,"
                " or a keyring backend's own name",
            ) from error
        except (RuntimeError, subprocess.CalledProcessError) as error:
            raise KeychainError(
                f"the keychain {name} does not run here: {error}",
                hint="`pass init GPG-ID` makes its store" if name == "pass" else "",
            ) from error
    configured = core.load_config()
    if configured is not None:
        return _ours(configured, "that keyringrc.cfg names")
    for candidate in _NATIVE:
        try:
            return _ours(core.load_keyring(candidate), candidate)
        except KeychainError:
            raise
        except Exception:  # noqa: BLE001, S112 - a backend that cannot run here says so in its own way
            continue
    return None


def _ours(backend: Any, name: str) -> Any:
    """The backend, if it protects secrets, with the manners that we need of it."""
    if type(backend).__module__ == "keyring.backends.kwallet":
        backend.appid = SERVICE  # KWallet asks once per name: not for each path of the command
    return _refuse_plain(backend, name)


def _quieten_pass() -> None:
    """`pass` complains on stderr of every entry that is not there; stderr is for our own words."""
    import keyring_pass

    keyring_pass.command = functools.partial(keyring_pass.command, stderr=subprocess.DEVNULL)


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
            hint=_MEND,
        ) from None
    except Exception as error:
        raise KeychainError(
            f"{what} failed: {type(error).__name__}",
            hint=_MEND,
        ) from error


def _vault(ui: Ui, environ: Mapping[str, str], unlocked: Unlocked | None) -> Vault | None:
    """The encrypted file, where its passphrase is or was given, or a person can type it."""
    given = environ.get("AWSLOGIN_PASSPHRASE")
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

    vault = Vault(path, passphrase, unlocked)
    return vault if given or ui.interactive or vault.is_unlocked else None


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
