"""Akamai's EAA, by the strict twin."""

from __future__ import annotations

from typing import Any

from broker.errors import ConfigError, InteractionRequired, UnexpectedReply
from tests.providers.saml.walks import Walk, refusal
from tests.sandbox import PROD, Sandbox
from tests.sandbox.twin import Habits

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
OTTO = f"arn:aws:sts::{PROD}:assumed-role/Admin/otto"


def walk(sandbox: Sandbox, user: str = "ann", **more: Any) -> Walk:
    return Walk(sandbox, "akamai", more.pop("url", sandbox.akamai.url), user, **more)


def test_password_alone(sandbox: Sandbox) -> None:
    assert walk(sandbox).arn() == ANN
    assert sandbox.akamai.seen.passwords == 1


def test_a_wrong_password_is_posted_once(sandbox: Sandbox) -> None:
    error = refusal(walk(sandbox, password="not this one"))
    assert "Invalid username or password" in error.message
    assert sandbox.akamai.seen.passwords == 1


def test_a_code(sandbox: Sandbox) -> None:
    sandbox.akamai.habits["otto"] = Habits("totp")
    assert walk(sandbox, "otto", seed=True).arn() == OTTO
    assert "Invalid token" in refusal(walk(sandbox, "otto", code="000000")).message
    assert sandbox.akamai.seen.codes == 2


def test_a_code_by_sms(sandbox: Sandbox) -> None:
    sandbox.akamai.habits["ann"] = Habits("totp,sms,duo")
    signing = walk(sandbox, mfa="sms", answers=[])
    signing.ui.ask = lambda *_, **__: sandbox.akamai.sent["ann"]  # type: ignore[method-assign]
    assert signing.arn() == ANN


def test_the_usual_factor_is_taken_where_nobody_can_choose(sandbox: Sandbox) -> None:
    sandbox.akamai.habits["otto"] = Habits("sms,totp")
    assert "mfa" in refusal(walk(sandbox, "otto"), InteractionRequired).hint
    sandbox.akamai.preferred = "totp"
    assert walk(sandbox, "otto", seed=True).arn() == OTTO


def test_duo_and_enrolment(sandbox: Sandbox) -> None:
    sandbox.akamai.habits["ann"] = Habits("duo")
    assert "in a browser alone: Duo" in refusal(walk(sandbox)).message
    sandbox.akamai.habits["ann"] = Habits("register")
    assert "registered first" in refusal(walk(sandbox)).message


def test_an_address_without_an_app(sandbox: Sandbox) -> None:
    error = refusal(walk(sandbox, url=sandbox.urls["akamai"]), ConfigError)
    assert "?app=HOSTNAME" in error.hint


def test_an_app_that_is_not_there(sandbox: Sandbox) -> None:
    error = refusal(walk(sandbox, url=f"{sandbox.urls['akamai']}/?app=other"), UnexpectedReply)
    assert "does not open the app" in error.message


def test_what_is_no_akamai_gets_no_password(sandbox: Sandbox) -> None:
    error = refusal(walk(sandbox, url=f"{sandbox.urls['idp']}/?app=x"), UnexpectedReply)
    assert "does not start" in error.message
    assert sandbox.idp.passwords_seen == 0
