"""A start loads nothing from the environment or the folder, and works below any path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from broker import isolated
from tests.configs import config
from tests.support import COMMAND, Home

MARK = "open({!r}, 'w').close()\n"
EVIL = ("broker/__init__", "broker", "providers", "sitecustomize", "usercustomize", "click", "yaml")
"""Modules that a hostile folder has, by their files."""


@pytest.fixture
def hostile(home: Home) -> Path:
    """A folder whose modules leave a file `ran` behind when one is imported."""
    home.config(config("dev"))
    for name in EVIL:
        file = home.work / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(MARK.format(str(home.work / "ran")))
    return home.work


@pytest.mark.parametrize("path", ["", ":/nowhere", ".", "work", "{folder}"])
@pytest.mark.parametrize(
    "words",
    [
        [COMMAND, "list"],
        [COMMAND, "creds", "dev", "--no-input"],
        [*isolated.command("broker.cli"), "list"],
        [*isolated.command("broker.ports.browser_process")],
    ],
    ids=["list", "creds", "child", "browser"],
)
def test_nothing_of_the_folder_or_pythonpath_runs(
    home: Home, hostile: Path, words: list[str], path: str
) -> None:
    environ = home.env({"PYTHONPATH": path.format(folder=hostile), "PYTHONSTARTUP": "yaml.py"})
    done = subprocess.run(
        words, env=environ, cwd=hostile, input="", capture_output=True, text=True, check=False
    )
    assert "ModuleNotFoundError" not in done.stderr
    assert not (hostile / "ran").exists()


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment below a path with a space: this one's libraries, awslogin copied."""
    prefix = tmp_path / "a b" / "it's"
    site = prefix / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (prefix / "bin").mkdir(parents=True)
    site.mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to(sys.executable)
    (prefix / "bin" / site.parent.name).symlink_to("python")
    (prefix / "pyvenv.cfg").write_text(f"home = {Path(os.path.realpath(sys.executable)).parent}\n")
    root = Path(isolated.__file__).parents[1]
    for package in ("broker", "providers"):
        shutil.copytree(root / package, site / package)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    script = prefix / "bin" / "awslogin"
    shutil.copy(root / "bin" / "awslogin", script)
    return prefix


def version(*words: str, cwd: Path, path: str = "/usr/bin:/bin") -> str:
    done = subprocess.run(
        words, env={"PATH": path}, cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_any_prefix_works_by_any_way_there(prefix: Path, tmp_path: Path) -> None:
    script = prefix / "bin" / "awslogin"
    linked = tmp_path / "linked"
    linked.symlink_to(os.path.relpath(script, tmp_path))
    again = tmp_path / "again"
    again.symlink_to(linked)
    told = version(COMMAND, "--version", cwd=tmp_path)
    for way in (str(script), "bin/awslogin", str(linked), "../../again"):
        assert version(way, "--version", cwd=prefix) == told, way
    assert version("./awslogin", "--version", cwd=prefix / "bin") == told
    assert version("awslogin", "--version", cwd=tmp_path, path=f"{prefix}/bin:/bin") == told
    code = "from broker import isolated; print(isolated.__file__)"
    found = version(str(prefix / "bin" / "python"), "-I", "-c", code, cwd=tmp_path)
    assert found.startswith(str(prefix))
