"""Chromium and the person at it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.parts import browser, process
from tests.real.parts.keycloak import Keycloak
from tests.real.parts.simplesamlphp import SimpleSamlPhp
from tests.support import PATIENCE

ACS = "**://signin.aws.amazon.com/saml"


def test_a_sign_in_ends_at_aws(simplesamlphp: SimpleSamlPhp) -> None:
    with browser.launched() as chromium:
        page = chromium.new_page()
        page.route(ACS, lambda route: route.fulfill(body="caught"))
        page.goto(simplesamlphp.url)
        page.fill("#username", "ann")
        page.fill("#password", simplesamlphp.people["ann"].password)
        with page.expect_request(ACS) as caught:
            page.press("#password", "Enter")
        assert caught.value.method == "POST"
        assert "SAMLResponse=" in (caught.value.post_data or "")


@pytest.mark.parametrize("name", ["wanda", "xenia"])
def test_a_passkey_signs_in(keycloak: Keycloak, name: str) -> None:
    person = keycloak.add(keycloak.people[name])  # a passkey counts how often it was used
    assert person.passkey
    with browser.launched() as chromium:
        page = chromium.new_page()
        page.route(ACS, lambda route: route.fulfill(body="caught"))
        browser.add_passkey(page, person.passkey)
        page.goto(keycloak.url.replace("127.0.0.1", "localhost"))
        page.fill("#username", person.name)
        page.fill("#password", person.password)
        page.press("#password", "Enter")
        page.wait_for_selector("#authenticateWebAuthnButton")
        page.wait_for_load_state()  # its script answers clicks from now on
        with page.expect_request(ACS) as caught:
            page.click("#authenticateWebAuthnButton")
        assert "SAMLResponse=" in (caught.value.post_data or "")


_OTHER_PROGRAM = """
import sys
from playwright.sync_api import sync_playwright
executable, profile, url = sys.argv[1:]
with sync_playwright() as playwright:
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=executable, chromium_sandbox=True
    )
    page = context.pages[0]
    page.goto(url)
    page.wait_for_selector("text=Incorrect username or password")
    context.close()
"""


def test_a_person_sits_at_a_browser_that_another_program_started(
    simplesamlphp: SimpleSamlPhp, tmp_path: Path
) -> None:
    chromium = browser.chromium(tmp_path)
    words = [str(chromium.executable), str(tmp_path / "profile"), simplesamlphp.url]
    with subprocess.Popen(
        [sys.executable, "-c", _OTHER_PROGRAM, *words],
        env=process.clean_environ(HOME=str(tmp_path)),
    ) as program:
        with chromium.person() as page:
            page.fill("#username", "ann")
            page.fill("#password", "wrong")
            page.press("#password", "Enter")
        assert program.wait(PATIENCE) == 0
