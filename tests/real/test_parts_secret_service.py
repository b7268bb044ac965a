"""The Secret Services that tests store secrets in, seen by the keyring library."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.real.parts import process, secret_service

_USE = """
import sys
from keyring.backends.SecretService import Keyring
if sys.argv[1] == "set":
    Keyring().set_password("awslogin", "ann", sys.stdin.read())
else:
    print(Keyring().get_password("awslogin", "ann"), end="")
"""


def use(
    action: str, environ: Mapping[str, str], stdin: str = "", seconds: float = 20
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _USE, action],
        input=stdin,
        env=process.clean_environ(**environ),
        timeout=seconds,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unlocked_one_keeps_secrets_sealed_over_a_restart(tmp_path: Path) -> None:
    with secret_service.unlocked(tmp_path) as environ:
        assert use("set", environ, "hunter2 über\nzwei").returncode == 0
    assert use("get", environ).returncode == 1  # it ended with its block
    with secret_service.unlocked(tmp_path) as environ:
        assert use("get", environ).stdout == "hunter2 über\nzwei"
    assert not any(b"hunter2" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_a_locked_one_gives_nothing(tmp_path: Path) -> None:
    with secret_service.unlocked(tmp_path) as environ:
        assert use("set", environ, "hunter2").returncode == 0
    with secret_service.locked(tmp_path) as environ:
        done = use("get", environ)
    assert done.returncode == 1
    assert "KeyringLocked" in done.stderr
    with secret_service.unlocked(tmp_path) as environ:
        assert use("get", environ).stdout == "hunter2"


def test_a_bus_may_have_none(tmp_path: Path) -> None:
    with secret_service.absent(tmp_path) as environ:
        done = use("get", environ)
    assert done.returncode == 1
    assert "org.freedesktop.secrets was not provided" in done.stderr


def test_unanswered_dialogs_and_silent_services_keep_a_caller_waiting(tmp_path: Path) -> None:
    for number, variant in enumerate([secret_service.unattended, secret_service.silent]):
        with variant(tmp_path / str(number)) as environ, pytest.raises(subprocess.TimeoutExpired):
            use("set", environ, "hunter2", seconds=1)
