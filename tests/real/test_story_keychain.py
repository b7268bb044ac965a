"""The command on a real Secret Service: unlocked, locked, silent, missing; and plain-text ones."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import launch
from tests.configs import config
from tests.real.parts import secret_service
from tests.sandbox import Sandbox
from tests.support import Home, Result

CONFIG = config("dev")


@pytest.fixture
def team(signed_up: Home) -> Home:
    """No keychain is named and no passphrase is set."""
    signed_up.config(CONFIG)
    return signed_up.without_vault()


@pytest.fixture
def unlocked(team: Home, tmp_path: Path) -> Iterator[Home]:
    with secret_service.unlocked(tmp_path / "bus") as environ:
        team.environ |= environ
        yield team


def add(home: Home, sandbox: Sandbox) -> Result:
    return home.run("add", "dev", "--stdin", stdin=sandbox.bob.json)


def test_keys_and_sealing_key_lie_in_the_secret_service(unlocked: Home, sandbox: Sandbox) -> None:
    add(unlocked, sandbox).ok()
    assert unlocked.run("dev", "--output", "json").ok().json["from_cache"] is False
    assert unlocked.run("dev", "--output", "json").ok().json["from_cache"] is True
    assert not (unlocked.folder / "awslogin" / "vault").exists()
    assert unlocked.holds_in_plain(sandbox.secrets()) == []
    unlocked.run("remove", "dev").ok()
    assert unlocked.run("dev").code == 7


def test_rotation_and_seed_lie_there_too(unlocked: Home, sandbox: Sandbox) -> None:
    add(unlocked, sandbox).ok()
    seed = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    unlocked.run("add", "dev", "--totp", "--stdin", stdin=seed).ok()
    old = sandbox.bob.key_id
    unlocked.run("rotate", "dev").ok()
    assert sandbox.user("bob").keys != [old]
    unlocked.run("dev").ok()
    assert unlocked.holds_in_plain([*sandbox.secrets(), seed]) == []


def test_a_fresh_session_loads_no_more_than_it_reads(unlocked: Home, sandbox: Sandbox) -> None:
    add(unlocked, sandbox).ok()
    while not any(unlocked.folder.rglob("variant-*")):  # the config must have some age
        unlocked.run("dev").ok()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", str(launch.__file__), "creds", "dev"],
        env=unlocked.env(), cwd=unlocked.work, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "secretstorage" in done.stderr
    needless = r"\| +(keyring|http\.client|pydantic|yaml|filelock)$"
    assert not re.search(needless, done.stderr, re.MULTILINE)


@pytest.mark.parametrize("keyring", ["keyrings.alt.file.PlaintextKeyring", "no.such.Keyring"])
def test_keyrings_own_settings_count(unlocked: Home, sandbox: Sandbox, keyring: str) -> None:
    folder = unlocked.folder / "settings" / "python_keyring"
    folder.mkdir(parents=True)
    (folder / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring={keyring}\n")
    unlocked.environ["XDG_CONFIG_HOME"] = str(folder.parent)
    assert add(unlocked, sandbox).code == 7


def test_in_ci_nothing_is_cached(unlocked: Home, sandbox: Sandbox) -> None:
    add(unlocked, sandbox).ok()
    for _ in range(2):
        session = unlocked.run("dev", "--output", "json", env={"CI": "true"}).ok().json
        assert session["from_cache"] is False
    assert not list((unlocked.folder / "awslogin").rglob("*.sealed"))


def test_a_locked_one_without_a_person(team: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    with secret_service.locked(tmp_path / "bus") as environ:
        team.environ |= environ
        done = add(team, sandbox)
    assert done.code == 7
    assert "unlock the keychain" in done.err


def test_a_silent_one_ends_in_five_seconds(team: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    with secret_service.silent(tmp_path / "bus") as environ:
        team.environ |= environ
        start = time.monotonic()
        done = team.run("dev", "--no-input", "--output", "json")
    assert done.error["exit"] == 7
    assert "did not answer within 5 s" in done.error["message"]
    assert time.monotonic() - start < 25  # D-Bus itself gives up then


def test_none_at_all(team: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    with secret_service.absent(tmp_path / "bus") as environ:
        team.environ |= environ
        done = add(team, sandbox)
        assert done.code == 7
        assert "AWSLOGIN_PASSPHRASE" in done.err
        team.environ["AWSLOGIN_PASSPHRASE"] = "a passphrase"
        add(team, sandbox).ok()
        assert team.run("dev").ok()
        team.environ["AWSLOGIN_PASSPHRASE"] = "another one"
        assert team.run("dev").code == 7


@pytest.mark.parametrize(
    "name",
    ["keyrings.alt.file.PlaintextKeyring", "keyring.backends.null.Keyring", "no.such.Keyring"],
)
@pytest.mark.parametrize("variable", ["AWSLOGIN_KEYRING", "PYTHON_KEYRING_BACKEND"])
def test_what_protects_nothing_is_refused(
    team: Home, sandbox: Sandbox, variable: str, name: str
) -> None:
    team.environ[variable] = name
    done = add(team, sandbox)
    assert done.code == 7
    assert name in done.err
    assert team.holds_in_plain([sandbox.bob.secret]) == []
