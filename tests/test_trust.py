"""Trust that holds: a file that was found stays one, wherever its path is written down."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import broker
from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import Home, Result

FILE = "awslogin.yaml"
LINE = [sys.executable, "-I", "-S", str(Path(broker.__file__).with_name("__main__.py"))]
"""How the lines of `setup` start awslogin."""


@pytest.fixture
def repo(signed_up: Home, sandbox: Sandbox) -> Path:
    """A repository with a trusted file, whose profile `dev` has keys."""
    signed_up.environ.pop("AWSLOGIN_CONFIG", None)
    file = signed_up.work / FILE
    file.write_text(config("dev", sandbox=sandbox))
    signed_up.run("config", "trust", "--yes").ok()
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up.work


def pulled(repo: Path) -> Path:
    """What a `git pull` may bring: the same file with a command that leaves a trace."""
    trace = repo.parent / "PWNED"
    text = (repo / FILE).read_text()
    (repo / FILE).write_text(
        text.replace("provider: keys", f"provider: keys, mfa_process: 'touch {trace}'")
    )
    return trace


def line(home: Home, *words: str) -> Result:
    done = subprocess.run(
        [*LINE, *words], env=home.env(), cwd="/", capture_output=True, text=True, timeout=60,
        start_new_session=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("option", ["--config", "--found"])
def test_the_line_of_setup_is_held_to_trust(repo: Path, signed_up: Home, option: str) -> None:
    words = ("creds", "dev", option, str(repo / FILE))
    assert "AccessKeyId" in line(signed_up, *words).ok().out
    trace = pulled(repo)
    done = line(signed_up, *words)
    assert (done.code, done.out) == (4, "")
    assert "config trust" in done.err
    assert not trace.exists()


def test_a_running_agent_keeps_to_it(repo: Path, signed_up: Home) -> None:
    signed_up.environ["AWSLOGIN_AGENT"] = "auto"
    words = ("creds", "dev", "--found", str(repo / FILE))
    try:
        line(signed_up, *words).ok()
        line(signed_up, *words).ok()
        pulled(repo)
        assert line(signed_up, *words).code == 4
    finally:
        signed_up.run("agent", "stop")


def test_config_and_found_exclude_each_other(repo: Path, signed_up: Home) -> None:
    done = signed_up.run("creds", "dev", "--config", FILE, "--found", FILE)
    assert done.code == 2
    assert "--found" in done.err


@pytest.mark.parametrize("named", [FILE, f"./{FILE}", f"/proc/self/cwd/{FILE}"])
def test_a_relative_variable_gives_no_trust(repo: Path, signed_up: Home, named: str) -> None:
    pulled(repo)
    environ = {"AWSLOGIN_CONFIG": named}
    assert "dev" in signed_up.run("list", env=environ).ok().out
    assert signed_up.run("creds", "dev", env=environ).code == 4
    assert signed_up.run("creds", "dev", env={"AWSLOGIN_CONFIG": str(repo / FILE)}).code == 0


def test_a_person_may_demand_trust_for_the_variable_too(repo: Path, signed_up: Home) -> None:
    environ = {"AWSLOGIN_CONFIG": str(repo / FILE)}
    settings = Path(signed_up.environ["AWSLOGIN_HOME"]) / "settings.yaml"
    settings.write_text("demand_trust: always\n")
    assert signed_up.run("creds", "dev", env=environ).code == 0
    pulled(repo)
    assert signed_up.run("creds", "dev", env=environ).code == 4
    assert signed_up.run("creds", "dev", "--config", FILE).code == 0
    settings.write_text("demand_trust: found\n")
    assert signed_up.run("creds", "dev", env=environ).code == 0


def test_a_file_of_another_user_is_not_found(repo: Path, signed_up: Home) -> None:
    inner = repo / "inner"
    inner.mkdir()
    shutil.copy(repo / FILE, inner / FILE)
    os.chown(inner / FILE, 12345, 12345)
    assert signed_up.run("config", "path", cwd=inner).ok().out.strip() == str(repo / FILE)
    (repo / FILE).unlink()
    done = signed_up.run("config", "path", cwd=inner)
    assert done.code == 2
    assert f"{inner / FILE} belongs to another user" in done.err
