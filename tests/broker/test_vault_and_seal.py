"""Secrets at rest: the encrypted file and the sealed files."""

from __future__ import annotations

import base64
import json
import os
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.errors import ConfigError, KeychainError
from broker.ports.entries import MAX_ENTRY_CHARACTERS
from broker.ports.vault import SCRYPT, Vault
from broker.seal import SealedFiles
from broker.sealing_key import KEY_NAME
from broker.secret import Secret
from broker.testing import MemoryKeychain
from tests.support import PASSPHRASE, cheap_vault


def vault(path: Path, *passphrases: str) -> Vault:
    answers = list(passphrases)
    return Vault(path, lambda new, attempt: Secret(answers[min(attempt, len(answers) - 1)]))


def test_a_vault_keeps_entries_and_shows_none(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    vault(path, "pass phrase").set("keys/dev", Secret("wJalrXUtnFEMI"))
    assert vault(path, "pass phrase").get("keys/dev") == Secret("wJalrXUtnFEMI")
    content = path.read_bytes()
    assert b"wJalrXUtnFEMI" not in content
    assert b"keys/dev" not in content
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_wrong_passphrase_opens_nothing_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    vault(path, "right").set("a", Secret("secret-a"))
    before = path.read_bytes()
    with pytest.raises(KeychainError, match="does not open"):
        vault(path, "wrong").set("b", Secret("secret-b"))
    assert path.read_bytes() == before


def test_a_person_may_correct_the_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    vault(path, "right").set("a", Secret("secret-a"))
    assert vault(path, "wrong", "right").get("a") == Secret("secret-a")


COST = b'"n":2,"r":1,"p":1,"salt":"AAAA"'


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"{}", b"[]", b"not json", b'{"version":1}', b"\xff", b"[" * 5000,
        b'{"sealed":"AAAA",' + COST + b"}", b'{"sealed":"",' + COST + b"}",
        b'{"sealed":null,' + COST + b"}", b'{"sealed":"AAAA","n":-2,"r":1,"p":1,"salt":"AAAA"}',
    ],
)  # fmt: skip
def test_a_damaged_vault_is_an_error_and_stays(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "vault"
    path.write_bytes(damage)
    with pytest.raises(KeychainError, match="damaged"):
        vault(path, "x").set("a", Secret("secret-a"))
    assert path.read_bytes() == damage


def test_a_vault_with_absurd_parameters_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    vault(path, "x").set("a", Secret("secret-a"))
    header = json.loads(path.read_text())
    path.write_text(json.dumps(header | {"n": 2**40}))
    with pytest.raises(KeychainError, match="absurd"):
        vault(path, "x").get("a")


def test_a_cheap_vault_is_made_dear_at_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    cheap_vault(path)
    salt = json.loads(path.read_text())["salt"]
    assert vault(path, PASSPHRASE).get("a") is None
    assert json.loads(path.read_text())["n"] == 2, "reading writes nothing"
    vault(path, PASSPHRASE).set("a", Secret("secret-a"))
    header = json.loads(path.read_text())
    assert {name: header[name] for name in SCRYPT} == SCRYPT
    assert header["salt"] != salt
    assert vault(path, PASSPHRASE).get("a") == Secret("secret-a")


def test_a_dearer_vault_keeps_its_own_parameters(tmp_path: Path) -> None:
    """Another version's vault still opens after this one has written to it."""
    path = tmp_path / "vault"
    cheap_vault(path, {"n": 2**15, "r": 8, "p": 4})
    vault(path, PASSPHRASE).set("a", Secret("secret-a"))
    assert json.loads(path.read_text())["p"] == 4


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "vault"
    vault(path, "x").set("first", Secret("secret-first"))
    threads = [
        threading.Thread(target=vault(path, "x").set, args=(f"n{i}", Secret(f"secret-{i}")))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(vault(path, "x").names()) == {"first", *(f"n{i}" for i in range(8))}


def test_sealed_files_are_private_and_unreadable(tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    SealedFiles(folder, keychain := MemoryKeychain()).write("session-a", b"token-in-plain")
    (file,) = folder.glob("*.sealed")
    assert b"token-in-plain" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert SealedFiles(folder, keychain).read("session-a") == b"token-in-plain"


def test_a_folder_that_others_may_write_in_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir()
    folder.chmod(0o775)
    with pytest.raises(ConfigError, match="0775"):
        SealedFiles(folder, MemoryKeychain()).write("a", b"x")
    assert folder.stat().st_mode & 0o777 == 0o775
    assert list(folder.iterdir()) == []


def test_two_sealed_files_cannot_be_exchanged(tmp_path: Path) -> None:
    sealed = SealedFiles(tmp_path, MemoryKeychain())
    sealed.write("session-dev", b"dev")
    (tmp_path / "session-prod.sealed").write_bytes((tmp_path / "session-dev.sealed").read_bytes())
    assert sealed.read("session-prod") is None


def test_what_an_older_version_sealed_is_read(tmp_path: Path) -> None:
    """Its files begin with the nonce, and its key's entry is the key alone."""
    key = os.urandom(32)
    keychain = MemoryKeychain({KEY_NAME: base64.b64encode(key).decode()})
    nonce = os.urandom(12)
    sealed = nonce + AESGCM(key).encrypt(nonce, b"session", b"session-dev")
    (tmp_path / "session-dev.sealed").write_bytes(sealed)
    assert SealedFiles(tmp_path, keychain).read("session-dev") == b"session"
    SealedFiles(tmp_path, keychain).remove(["session-dev"])
    (tmp_path / "session-dev.sealed").write_bytes(sealed)
    assert SealedFiles(tmp_path, keychain).read("session-dev") is None


def test_a_removed_file_cannot_be_put_back(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    sealed = SealedFiles(tmp_path, keychain)
    for name in ("session-dev", "session-prod"):
        sealed.write(name, b"old")
    before = sealed.path("session-dev").read_bytes()
    sealed.remove(["session-dev"])
    sealed.path("session-dev").write_bytes(before)
    again = SealedFiles(tmp_path, keychain)
    assert (again.read("session-dev"), again.read("session-prod")) == (None, b"old")
    again.write("session-dev", b"new")
    assert SealedFiles(tmp_path, keychain).read("session-dev") == b"new"


def test_after_remove_all_nothing_that_was_sealed_is_read(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    sealed = SealedFiles(tmp_path, keychain)
    sealed.write("session-dev", b"old")
    before = sealed.path("session-dev").read_bytes()
    sealed.remove_all()
    assert list(sealed.names()) == []
    sealed.path("session-dev").write_bytes(before)
    assert SealedFiles(tmp_path, keychain).read("session-dev") is None
    sealed.write("session-dev", b"new")
    assert SealedFiles(tmp_path, keychain).read("session-dev") == b"new"


def test_notes_of_removed_files_fit_one_entry(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    sealed = SealedFiles(tmp_path, keychain)
    sealed.write("kept", b"kept")
    sealed.remove([f"session-{number}" for number in range(200)])
    assert len(keychain.entries[KEY_NAME]) <= MAX_ENTRY_CHARACTERS
    assert SealedFiles(tmp_path, keychain).read("kept") == b"kept"


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 200, b"awslogin-sealed-2\n"])
def test_a_damaged_sealed_file_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    sealed = SealedFiles(tmp_path, MemoryKeychain())
    sealed.write("a", b"content")
    (tmp_path / "a.sealed").write_bytes(damage)
    assert sealed.read("a") is None
    sealed.write("a", b"new")
    assert sealed.read("a") == b"new"


def test_without_a_keychain_nothing_is_written(tmp_path: Path) -> None:
    sealed = SealedFiles(tmp_path, None)
    sealed.write("a", b"content")
    assert sealed.read("a") == b"content"
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_find_no_key_one_makes_it(tmp_path: Path) -> None:
    keychain = MemoryKeychain()
    stores = [SealedFiles(tmp_path, keychain) for _ in range(8)]
    threads = [
        threading.Thread(target=store.write, args=(f"n{i}", b"content"))
        for i, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(SealedFiles(tmp_path, keychain).read(f"n{i}") == b"content" for i in range(8))
