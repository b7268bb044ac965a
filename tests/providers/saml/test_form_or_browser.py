"""Kinds that sign in by themselves, and open the browser by themselves where that does not go."""

from __future__ import annotations

from typing import Any

import pytest

from broker.errors import ConfigError, InteractionRequired
from broker.ports.browser import Browser, InterceptedPost
from tests.providers.saml.walks import Walk, refusal
from tests.sandbox import PROD, Sandbox
from tests.sandbox.twin import Habits

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"


MISSING = ConfigError("there is no browser here", hint="install one")


class Opened:
    """Plays the browser: a person signs in there."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.windows: list[bool] = []

    def __call__(self, url: str, *, window: bool, **_: Any) -> InterceptedPost:
        self.windows.append(window)
        return InterceptedPost(self.sandbox.assertion("ann"), {"cookies": []})


@pytest.fixture
def browser(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Opened:
    opened = Opened(sandbox)
    monkeypatch.setattr(Browser, "intercept", lambda _self, url, **more: opened(url, **more))
    return opened


def signing(sandbox: Sandbox, **more: Any) -> Walk:
    made = Walk(sandbox, "jumpcloud", sandbox.jumpcloud.url, **more)
    made.ui.may_browse = True
    return made


def test_no_browser_opens_where_none_is_needed(sandbox: Sandbox, browser: Opened) -> None:
    assert signing(sandbox).arn() == ANN
    assert browser.windows == []


def test_the_browser_goes_on_where_only_it_can(sandbox: Sandbox, browser: Opened) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("duo")
    walk = signing(sandbox)
    assert walk.arn() == ANN
    assert browser.windows == [True]
    assert "Duo: going on in a browser" in walk.shown


def test_a_sign_in_that_needed_the_browser_goes_there_at_once(
    sandbox: Sandbox, browser: Opened
) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("duo")
    walk = signing(sandbox)
    walk.arn()
    walk.login()
    assert browser.windows == [True, False]
    assert sandbox.jumpcloud.seen.passwords == 1
    walk.provider.logout()
    walk.login()
    assert sandbox.jumpcloud.seen.passwords == 2


def test_the_browser_asks_where_no_terminal_can(sandbox: Sandbox, browser: Opened) -> None:
    sandbox.jumpcloud.habits["otto"] = Habits("totp")
    assert signing(sandbox, user="otto", password="").arn() == ANN  # who signs in there
    assert browser.windows == [True]
    with pytest.raises(InteractionRequired):
        signing(sandbox, user="otto", password="", answers=[]).arn()
    assert browser.windows == [True]


def test_a_refusal_opens_no_browser(sandbox: Sandbox, browser: Opened) -> None:
    assert "failed" in refusal(signing(sandbox, password="not this one")).message
    assert browser.windows == []


def test_who_says_how_the_browser_runs_wants_it(sandbox: Sandbox, browser: Opened) -> None:
    assert signing(sandbox, headless=False).arn() == ANN
    assert signing(sandbox, executable="/opt/browser").arn() == ANN
    assert signing(sandbox, browser="edge").arn() == ANN
    assert browser.windows == [True, True, True]
    assert sandbox.jumpcloud.seen.passwords == 0


def test_no_browser_is_installed(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("duo")
    monkeypatch.setattr(Browser, "_program", lambda *_: (_ for _ in ()).throw(MISSING))
    error = refusal(signing(sandbox), ConfigError)
    assert "Duo" in error.message
    assert "no browser here" in error.message
    assert error.hint == "install one"


def test_nobody_to_see_a_window(sandbox: Sandbox, browser: Opened) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("duo")
    walk = signing(sandbox)
    walk.ui.may_browse = False
    assert "Duo" in refusal(walk).message
    assert browser.windows == []
    with pytest.raises(InteractionRequired, match="in a browser window"):
        Walk(sandbox, "jumpcloud", sandbox.jumpcloud.url, headless=False).arn()
