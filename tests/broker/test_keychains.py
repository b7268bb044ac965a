"""What the platforms' keychains do differently, through `keyring`'s own interface.

Secret Service and `pass` run for real in `tests/real`.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

import keyring.errors
import pytest
from keyring.backend import KeyringBackend

from broker.errors import KeychainError
from broker.ports import keychain, keyring_backend
from broker.ports.entries import MAX_ENTRY_CHARACTERS
from broker.ports.keychain import LazyKeychain, SystemKeychain
from broker.ports.keyring_backend import SERVICE
from broker.secret import Secret
from broker.testing import ScriptedUi
from tests.support import PATIENCE


class CredentialManager(types.ModuleType):
    """Windows' credentials as `win32cred` shows them: UTF-16, 2,560 bytes a blob at most."""

    CRED_TYPE_GENERIC = 1
    CRED_PERSIST_ENTERPRISE = 3
    LARGEST = 2560

    def __init__(self) -> None:
        super().__init__("win32cred")
        self.entries: dict[str, dict[str, Any]] = {}
        self.written: list[str] = []

    def CredRead(self, Type: int, TargetName: str) -> dict[str, Any]:  # noqa: N802, N803
        if TargetName not in self.entries:
            raise WinError(1168, "CredRead")
        return dict(self.entries[TargetName])

    def CredWrite(self, credential: dict[str, Any], flags: int) -> None:  # noqa: N802
        blob = credential["CredentialBlob"].encode("utf-16-le")
        if len(blob) > self.LARGEST:
            raise WinError(1783, "CredWrite")
        self.written.append(credential["TargetName"])
        self.entries[credential["TargetName"]] = {**credential, "CredentialBlob": blob}

    def CredDelete(self, Type: int, TargetName: str) -> None:  # noqa: N802, N803
        if self.entries.pop(TargetName, None) is None:
            raise WinError(1168, "CredDelete")


class WinError(Exception):
    def __init__(self, number: int, function: str) -> None:
        super().__init__(number, function)
        self.winerror, self.funcname = number, function


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[CredentialManager]:
    manager = CredentialManager()
    pywintypes = types.ModuleType("pywintypes")
    pywintypes.error = WinError  # type: ignore[attr-defined]
    package = types.ModuleType("win32ctypes.pywin32")
    package.win32cred, package.pywintypes = manager, pywintypes  # type: ignore[attr-defined]
    for name, module in {
        "win32ctypes": types.ModuleType("win32ctypes"),
        "win32ctypes.pywin32": package,
        "win32ctypes.pywin32.win32cred": manager,
        "win32ctypes.pywin32.pywintypes": pywintypes,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    module = importlib.reload(importlib.import_module("keyring.backends.Windows"))
    yield manager
    monkeypatch.undo()
    importlib.reload(module)


def opened(name: str) -> LazyKeychain:
    return LazyKeychain(ScriptedUi(), {"AWSLOGIN_KEYRING": name})


def test_windows_keeps_each_entry_by_itself(windows: CredentialManager) -> None:
    """Its backend moves what was there when a second user of one service comes: we never do so."""
    vault = opened("windows")
    for number in range(3):
        vault.set(f"team/keys/keys/p{number}", Secret(f"secret {number}"))
    assert len(windows.written) == 3
    assert [(vault.get(f"team/keys/keys/p{n}") or Secret("")).reveal() for n in range(3)] == [
        "secret 0",
        "secret 1",
        "secret 2",
    ]
    vault.delete("team/keys/keys/p1")
    vault.delete("team/keys/keys/p1")
    assert vault.get("team/keys/keys/p1") is None
    assert vault.get("team/keys/keys/p2") == Secret("secret 2")


def test_windows_limit_holds_everywhere(windows: CredentialManager) -> None:
    vault = opened("windows")
    vault.set("long", Secret("x" * MAX_ENTRY_CHARACTERS))
    assert vault.get("long") == Secret("x" * MAX_ENTRY_CHARACTERS)
    with pytest.raises(KeychainError, match="too long"):
        vault.set("longer", Secret("x" * (MAX_ENTRY_CHARACTERS + 1)))


class MacBackend(KeyringBackend):
    """macOS' errors, as keyring's own backend raises them."""

    priority = 1
    failure: Exception = keyring.errors.KeyringLocked("Can't get password from keychain: (-25308)")

    def get_password(self, service: str, username: str) -> str | None:
        raise self.failure

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.failure

    def delete_password(self, service: str, username: str) -> None:
        raise self.failure


@pytest.mark.parametrize(
    "failure",
    [
        keyring.errors.KeyringLocked("Can't get password from keychain: (-25308)"),
        keyring.errors.KeyringError("Can't get password from keychain: (-25299)"),
        keyring.errors.PasswordSetError("Can't store password on keychain: (-61)"),
    ],
)
def test_a_locked_keychain_says_how_to_unlock_it(
    failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MacBackend, "failure", failure)
    vault = SystemKeychain(MacBackend(), ScriptedUi())  # type: ignore[no-untyped-call]
    for call in (
        lambda: vault.get("x"),
        lambda: vault.set("x", Secret("y")),
        lambda: vault.delete("x"),
    ):
        with pytest.raises(KeychainError) as failed:
            call()  # type: ignore[no-untyped-call]
        assert failed.value.exit_code == 7
        assert "AWSLOGIN_KEYRING=file" in failed.value.hint


class Forgetful(KeyringBackend):
    """KWallet reports a failed write by a number that keyring drops; pass keeps one line."""

    priority = 1
    kept: str | None = None

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept

    def set_password(self, service: str, username: str, password: str) -> None:
        """Says nothing."""


@pytest.mark.parametrize("kept", [None, "", "half"])
def test_a_write_that_is_not_kept_is_an_error(kept: str | None) -> None:
    backend = Forgetful()  # type: ignore[no-untyped-call]
    backend.kept = kept
    with pytest.raises(KeychainError, match="did not keep"):
        SystemKeychain(backend, ScriptedUi()).set("team/keys/keys/dev", Secret("halfway"))


@pytest.mark.parametrize("text", ["two\nlines", "two\rlines", "two\u2028lines"])
def test_an_entry_is_one_line(text: str) -> None:
    with pytest.raises(KeychainError):
        SystemKeychain(None, ScriptedUi()).set("x", Secret(text))


def test_kwallet_is_asked_in_our_name() -> None:
    """It grants access by the asking program's name; a path would be asked about anew each time."""
    from keyring.backends.kwallet import DBusKeyring

    backend = DBusKeyring()  # type: ignore[no-untyped-call]
    assert keyring_backend.with_manners(backend, "kwallet").appid == SERVICE


@pytest.mark.parametrize("name", ["kwallet", "macos"])
def test_one_that_does_not_run_here(name: str) -> None:
    with pytest.raises(KeychainError, match="does not run here"):
        opened(name).get("x")


def test_an_unknown_name() -> None:
    with pytest.raises(KeychainError) as failed:
        opened("kwalet").get("x")
    assert "kwallet" in failed.value.hint


def test_short_names_lead_to_backends_that_exist() -> None:
    for place in keyring_backend.NAMES.values():
        module, _, kind = place.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), kind), KeyringBackend)


def test_a_silent_keychain_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks again in the same command is told at once; a minute later it is asked anew."""
    asked: list[str] = []
    answer = threading.Event()

    class Silent:
        def get_password(self, service: str, username: str) -> str:
            asked.append(username)
            answer.wait(PATIENCE)
            return "found"

    monkeypatch.setattr(keychain, "PATIENCE_ALONE", 0.01)
    chain = SystemKeychain(Silent(), ScriptedUi(None))
    for _ in range(3):
        with pytest.raises(KeychainError, match="did not answer"):
            chain.get("one")
    assert asked == ["one"]
    monkeypatch.setattr(keychain, "PATIENCE_ALONE", PATIENCE)
    later = time.monotonic() + 100
    monkeypatch.setattr(time, "monotonic", lambda: later)
    answer.set()
    found = chain.get("one")
    assert found
    assert found.reveal() == "found"
