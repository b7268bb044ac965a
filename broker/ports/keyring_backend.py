"""Which `keyring` backend is this machine's keychain. Owns names, what is refused, and manners.

What the platforms' keychains do differently stands in `docs/keychains.md`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import Any

from broker.errors import KeychainError
from broker.ports.secret_service import unconfigured

SERVICE = "awslogin"
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


def find(name: str | None, environ: Mapping[str, str]) -> Any:
    """The backend that is named, else the platform's own where it runs, else None."""
    name = name or environ.get("PYTHON_KEYRING_BACKEND")
    found = None if name else unconfigured(environ)
    if found:
        return found
    from keyring import core

    if name:
        import subprocess

        try:
            if name in {"pass", NAMES["pass"]}:
                _quieten_pass()
            return with_manners(core.load_keyring(NAMES.get(name, name)), name)
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
        return with_manners(configured, "that keyringrc.cfg names")
    for candidate in _NATIVE:
        try:
            return with_manners(core.load_keyring(candidate), candidate)
        except KeychainError:
            raise
        except Exception:  # noqa: BLE001, S112 - a backend that cannot run here says so in its own way
            continue
    return None


def with_manners(backend: Any, name: str) -> Any:
    """The backend, if it protects secrets, with the manners that we need of it."""
    if type(backend).__module__ == "keyring.backends.kwallet":
        backend.appid = SERVICE  # KWallet asks once per name: not for each path of the command
    return _refuse_plain(backend, name)


def _quieten_pass() -> None:
    """`pass` complains on stderr of every entry that is not there; stderr is for our own words."""
    import subprocess

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
