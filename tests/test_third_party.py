"""A third party's provider: a wheel of its own, installed by pip, used by its type's name."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support import COMMAND, Home, Result, installation

MODULE = """
from datetime import timedelta

from broker.provider import Credentials, Provider, ProviderOptions
from broker.secret import Secret


class VendingOptions(ProviderOptions):
    machine: str


class Vending(Provider):
    Options = VendingOptions

    def login(self, request):
        return Credentials(
            "ASIAVENDING" + self.options.machine.upper(),
            Secret("vended-secret"),
            Secret("vended-token"),
            self.ports.clock.now() + timedelta(hours=1),
        )
"""
BROKEN = "raise RuntimeError('a plugin that nobody asked for was loaded')\n"


def wheel(folder: Path) -> Path:
    """A wheel as a third party would publish it."""
    path = folder / "awslogin_vending-1.0-py3-none-any.whl"
    info = "awslogin_vending-1.0.dist-info"
    files = {
        "awslogin_vending.py": MODULE,
        "awslogin_broken.py": BROKEN,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: awslogin-vending\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[awslogin.providers]\nvending = awslogin_vending:Vending\n"
        "broken = awslogin_broken:Broken\n",
    }
    record = "".join(f"{name},,\n" for name in files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return path


def test_a_wheel_is_all_it_takes(home: Home) -> None:
    command, packages = installation(home.folder / "venv")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target",
         str(packages), str(wheel(home.folder))],
        check=True, capture_output=True,
    )  # fmt: skip
    home.config(
        """\
version: 1
providers:
  machine: {type: vending, machine: lobby}
  old: {type: broken}
profiles:
  snack: {provider: machine}
  stale: {provider: old}
"""
    )

    def run(*words: str) -> Result:
        done = subprocess.run(
            [command, *words, "--output", "json"], env=home.env(), cwd=home.work,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Result(done.returncode, done.stdout, done.stderr)

    session = run("snack").ok().json
    assert session["access_key_id"] == "ASIAVENDINGLOBBY"
    assert session["type"] == "vending"
    assert run("snack").ok().json["from_cache"] is True
    failed = run("stale").error
    assert failed["exit"] == 2
    assert "awslogin-vending" in failed["message"]
    kinds = {row["type"]: row["from"] for row in run("providers").json}
    assert kinds["vending"] == "awslogin-vending"


def test_the_command_is_the_installed_one() -> None:
    assert Path(COMMAND).exists()
