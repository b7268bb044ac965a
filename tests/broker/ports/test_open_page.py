"""The person's browser: what its command line shows, what it may read, and what is left behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from broker.ports import open_page as module
from broker.ports.open_page import open_page
from tests.crowd import until
from tests.visited import address_in

ADDRESS = "https://sign-in.example/authorize?state=s3cr3t&x=\"'<>"


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """A browser that notes its words and its environment."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\ncd {tmp_path}\nenv >env\nprintf %s "$1" >new\nmv new seen\n')
    browser.chmod(0o755)
    return {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "BROWSER": f"{browser} %s",
        "AWSLOGIN_HOME": str(tmp_path / "state"), "AWSLOGIN_PASSPHRASE": "secret",
    }  # fmt: skip


def test_the_command_line_holds_a_private_file_alone(
    machine: dict[str, str], tmp_path: Path
) -> None:
    assert open_page(ADDRESS, machine)
    until((tmp_path / "seen").exists)
    given = (tmp_path / "seen").read_text()
    assert given.startswith("file:///")
    page = Path(given.removeprefix("file://"))
    assert page.stat().st_mode & 0o777 == 0o600
    assert page.parent.stat().st_mode & 0o777 == 0o700
    assert address_in(given) == ADDRESS
    assert "PASSPHRASE" not in (tmp_path / "env").read_text()


def test_no_command_line_of_ours_holds_it_either(machine: dict[str, str], tmp_path: Path) -> None:
    words = tmp_path / "words"
    browser = Path(machine["BROWSER"].split()[0])
    browser.write_text(f"#!/bin/sh\ntr '\\0' ' ' </proc/$PPID/cmdline >{words}\n")
    assert open_page(ADDRESS, machine)
    until(lambda: words.exists() and words.read_text().strip())
    assert "open_page" in words.read_text()
    assert "s3cr3t" not in words.read_text()


def test_a_browser_that_does_not_start_is_told_and_leaves_nothing(
    machine: dict[str, str], tmp_path: Path
) -> None:
    assert not open_page(ADDRESS, machine | {"BROWSER": "/bin/false", "PATH": ""})
    until(lambda: not list((tmp_path / "state" / "browser").glob("*.html")))


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    old, new = tmp_path / "old.html", tmp_path / "new.html"
    for page in (old, new):
        page.touch()
    os.utime(old, (time.time() - 2 * module.OLD,) * 2)
    page = module._written(ADDRESS, tmp_path)
    assert set(tmp_path.iterdir()) == {new, page}


def test_where_no_other_user_reads_command_lines_the_address_is_given(
    monkeypatch: pytest.MonkeyPatch, machine: dict[str, str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert module._folder(machine) is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert module._folder({"HOME": "/nowhere"}) is None
    assert module._folder(machine) is not None
    monkeypatch.setattr(sys, "platform", "linux")
    assert module._folder(machine | {"WSL_DISTRO_NAME": "Debian"}) is None
