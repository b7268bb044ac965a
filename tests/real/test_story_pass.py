"""The command with `pass` as its keychain: real GnuPG, real files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.configs import config
from tests.real.parts import password_store
from tests.sandbox import Sandbox
from tests.support import Home

CONFIG = config("dev", profiles={"a.b@c+d_e-f": "provider: keys"})


@pytest.fixture
def team(signed_up: Home, tmp_path: Path) -> Iterator[Home]:
    signed_up.config(CONFIG)
    signed_up.without_vault().environ["AWSLOGIN_KEYRING"] = "pass"
    with password_store.initialised(tmp_path) as environ:
        signed_up.environ |= environ
        yield signed_up


def test_keys_lie_in_the_store(team: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    for profile in ("dev", "a.b@c+d_e-f"):
        done = team.run("add", profile, "--stdin", stdin=sandbox.bob.json).ok()
        assert done.err == "", "pass has nothing to say here"
    assert team.run("dev", "--output", "json").ok().json["from_cache"] is False
    again = team.run("dev", "--output", "json").ok()
    assert (again.json["from_cache"], again.err) == (True, "")
    done = team.run("rotate", "dev", "--output", "json").ok()
    assert done.json["profiles"] == ["dev", "a.b@c+d_e-f"]
    assert done.err == ""
    team.run("a.b@c+d_e-f").ok()
    assert {path.suffix for path in (tmp_path / "store").rglob("*") if path.is_file()} <= {
        ".gpg",
        "",
    }
    assert team.holds_in_plain(sandbox.secrets()) == []
    team.run("remove", "dev").ok()
    error = team.run("dev", "--output", "json").error
    assert error["exit"] == 7


def test_without_a_store(team: Home) -> None:
    done = team.run("dev", "--output", "json", env={"PASSWORD_STORE_DIR": str(team.folder / "no")})
    assert done.error["exit"] == 7
    assert "pass init" in done.error["hint"]
