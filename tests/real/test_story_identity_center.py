"""`awslogin stage` through a real browser: PKCE, and the page that the browser ends on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.configs import config, identity_center
from tests.real.parts import browser
from tests.sandbox import Sandbox
from tests.support import PATIENCE, Home
from tests.terminal import Terminal


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    corp = identity_center(sandbox.start_url, "region: eu-west-1, flow: pkce")
    signed_up.config(config("stage", providers={"corp": corp}))
    return signed_up


@pytest.fixture
def chromium(team: Home, tmp_path: Path) -> browser.Chromium:
    """What `awslogin` finds as this person's browser."""
    made = browser.chromium(tmp_path)
    script = tmp_path / "browser"
    profile = shlex.quote(str(tmp_path / "profile"))
    words = f"{shlex.quote(str(made.executable))} --headless --user-data-dir={profile}"
    script.write_text(
        f'#!/bin/sh\necho noise of a browser\nenv >{profile}.env\nexec {words} "$@"\n'
    )
    script.chmod(0o755)
    team.environ["BROWSER"] = str(script)
    return made


@pytest.fixture
def person(chromium: browser.Chromium, team: Home) -> Iterator[tuple[Terminal, Page]]:
    """Somebody who has typed `awslogin stage`, and sees the page that came up."""
    terminal = Terminal(team, "stage", "--output", "json")
    with chromium.person() as page:
        page.wait_for_selector("text=Allow awslogin?")
        yield terminal, page
        page.context.browser.new_browser_cdp_session().send("Browser.close")  # type: ignore[union-attr]


def test_the_browser_ends_on_our_page(
    person: tuple[Terminal, Page], team: Home, tmp_path: Path
) -> None:
    terminal, page = person
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.click("text=Allow as ann")
    page.wait_for_selector("h1:has-text('Signed in at AWS')")
    done = terminal.finish()
    assert done.json["account_id"] == "111122223333", done.err
    assert [url for url in asked if "/authorize" not in url and "/oauth/callback" not in url] == []
    assert page.evaluate("document.scripts.length") == 0
    assert page.get_attribute("html", "lang") == "en"
    seen = [looks(page, scheme) for scheme in ("light", "dark")]
    assert seen[0] != seen[1]
    for background, text in seen:
        assert contrast(background, text) > 7  # WCAG 2.2, 1.4.6 (AAA)
    environ = (tmp_path / "profile.env").read_text()
    assert "AWSLOGIN_PASSPHRASE" not in environ


def test_a_denied_sign_in_ends_on_our_page_too(person: tuple[Terminal, Page]) -> None:
    terminal, page = person
    page.click("text=Deny")
    page.wait_for_selector("h1:has-text('Not signed in')")
    done = terminal.finish()
    assert (done.code, done.out) == (3, "")
    assert "denied" in done.err


def test_an_ide_without_a_terminal_has_the_browser_opened(
    chromium: browser.Chromium, team: Home
) -> None:
    (team.folder / "awslogin").mkdir(mode=0o700, exist_ok=True)
    settings = team.folder / "awslogin" / "settings.yaml"
    settings.write_text("sign_in_without_terminal: browser\n")
    ide = team.start("creds", "stage", env={"DISPLAY": ":0"})
    with chromium.person() as page:
        page.click("text=Allow as ann")
        page.wait_for_selector("h1:has-text('Signed in at AWS')")
        page.context.browser.new_browser_cdp_session().send("Browser.close")  # type: ignore[union-attr]
    out, err = ide.communicate(timeout=PATIENCE)
    assert json.loads(out)["AccessKeyId"], err


Colour = tuple[int, ...]


def looks(page: Page, scheme: str) -> tuple[Colour, Colour]:
    """Background and text as a person sees them."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    found = page.evaluate(
        "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name]"
        ".match(/\\d+/g).map(Number))"
    )
    return tuple(found[0]), tuple(found[1])


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.2, contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Colour) -> float:
    shares = [part / 255 for part in colour[:3]]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
