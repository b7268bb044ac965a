"""`sign_in_without_terminal: browser`: an IDE may have the browser opened, once for all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.configs import config, identity_center
from tests.sandbox import Sandbox
from tests.support import Home, Result
from tests.terminal import Terminal

ROOT = Path(__file__).parent.parent
BROWSER = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
import pathlib, requests
from tests.visited import address_in
address = address_in(sys.argv[1])
with (pathlib.Path(sys.argv[0]).parent / "opened").open("a") as note:
    note.write("once\\n")
if not (pathlib.Path(sys.argv[0]).parent / "nobody").exists():
    requests.post(address, data={{"person": "ann"}}, timeout=120)
"""


@pytest.fixture
def ide(signed_up: Home, sandbox: Sandbox) -> Home:
    """A person's desktop; whoever calls awslogin has no terminal."""
    corp = identity_center(sandbox.start_url, "region: eu-west-1")
    code = identity_center(sandbox.start_url, "region: eu-west-1, flow: device")
    profiles = {"coded": 'provider: code, account: "111122223333", role: Developer'}
    signed_up.config(config("stage", providers={"corp": corp, "code": code}, profiles=profiles))
    browser = signed_up.folder / "bin" / "browser"
    browser.parent.mkdir()
    browser.write_text(BROWSER)
    browser.chmod(0o755)
    signed_up.environ |= {"BROWSER": str(browser), "DISPLAY": ":0"}
    settings(signed_up, "sign_in_without_terminal: browser\n")
    return signed_up


def settings(home: Home, text: str) -> None:
    (home.folder / "awslogin" / "settings.yaml").write_text(text)


def opened(home: Home) -> int:
    note = home.folder / "bin" / "opened"
    return len(note.read_text().splitlines()) if note.exists() else 0


def test_one_browser_for_all_who_wait(ide: Home) -> None:
    def creds(_: int) -> Result:
        return ide.run("creds", "stage")

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(creds, range(4)))
    assert [one.ok().json["Version"] for one in done] == [1] * 4
    assert opened(ide) == 1
    assert any("Sign in in the browser" in one.err for one in done)


@pytest.mark.parametrize(
    ("words", "changes", "text"),
    [
        ((), {}, "sign_in_without_terminal: never\n"),
        ((), {}, ""),
        (("--no-input",), {}, None),
        (("--no-browser",), {}, None),
        ((), {"CI": "true"}, None),
        ((), {"SSH_CONNECTION": "1 2 3 4"}, None),
        ((), {"DISPLAY": ""}, None),
    ],
    ids=str,
)
def test_where_none_may_be_opened_it_is_exit_4(
    ide: Home, words: Sequence[str], changes: dict[str, str], text: str | None
) -> None:
    if text is not None:
        settings(ide, text)
    assert ide.run("creds", "stage", *words, env=changes).error["exit"] == 4
    assert opened(ide) == 0


def test_a_kind_that_needs_more_than_a_browser_is_exit_4(ide: Home) -> None:
    assert ide.run("creds", "coded").error["exit"] == 4
    assert opened(ide) == 0


def test_a_window_that_nobody_heeds_is_not_opened_again_and_again(ide: Home) -> None:
    (ide.folder / "bin" / "nobody").touch()
    assert ide.run("creds", "stage", "--timeout", "1s").error["exit"] == 3
    again = ide.run("creds", "stage", "--timeout", "1s").error
    assert (again["exit"], "awslogin login stage" in again["hint"]) == (4, True)
    assert opened(ide) == 1


def test_what_is_set_is_said_to_be_wrong(ide: Home) -> None:
    settings(ide, "sign_in_without_terminal: always\n")
    assert ide.run("creds", "stage").error["exit"] == 2


def test_a_person_at_a_terminal_is_asked_there(ide: Home) -> None:
    terminal = Terminal(ide, "stage")
    terminal.wait_for("check that it shows the code|Sign in in the browser")
    terminal.type("\x03")
    terminal.finish()
