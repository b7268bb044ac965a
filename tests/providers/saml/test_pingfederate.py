"""PingFederate's and PingID's pages, by their strict twins."""

from __future__ import annotations

import pytest

from broker.errors import ConfigError, LoginRefused
from tests.providers.saml.walks import Walk
from tests.sandbox import PROD, Sandbox
from tests.sandbox.pingfederate import NUMBER, START
from tests.sandbox.twin import Habits

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
OTTO = f"arn:aws:sts::{PROD}:assumed-role/Admin/otto"
KINDS = pytest.mark.parametrize("idp", ["pingfederate", "auto", "form"])


def walk(sandbox: Sandbox, user: str = "ann", idp: str = "pingfederate", **more: object) -> Walk:
    """A sign-in whose YAML names PingID's host too: codes that nobody types go there."""
    hosts = [sandbox.ping.pingid_url]
    return Walk(sandbox, idp, sandbox.ping.url + START, user, hosts=hosts, **more)  # type: ignore[arg-type]


@KINDS
def test_a_password(sandbox: Sandbox, idp: str) -> None:
    assert walk(sandbox, idp=idp).arn() == ANN
    assert sandbox.ping.seen.strays == []


def test_the_host_alone_is_enough(sandbox: Sandbox) -> None:
    assert Walk(sandbox, "pingfederate", sandbox.ping.url).arn() == ANN


@pytest.mark.parametrize(
    ("refusal", "words"),
    [("wrong", "didn't recognize"), ("disabled", "is locked"), ("expired", "has expired")],
)
def test_refusals(sandbox: Sandbox, refusal: str, words: str) -> None:
    sandbox.world.people["ann"].disabled = refusal == "disabled"
    sandbox.ping.habits["ann"] = Habits(expired=refusal == "expired")
    with pytest.raises(LoginRefused, match=words):
        walk(sandbox, password="not this one" if refusal == "wrong" else None).arn()
    assert sandbox.ping.seen.passwords == 1


@KINDS
@pytest.mark.parametrize("factor", ["swipe", "number"])
def test_a_swipe_is_polled(sandbox: Sandbox, idp: str, factor: str) -> None:
    sandbox.ping.habits["ann"] = Habits(factor)
    signing = walk(sandbox, idp=idp)
    assert signing.arn() == ANN
    assert (sandbox.ping.seen.polls, sandbox.ping.seen.pushes) == (3, 1)
    assert signing.clock.slept == [3.0, 3.0]
    assert any(NUMBER in shown for shown in signing.ui.shown) is (factor == "number")
    assert sandbox.ping.seen.strays == []


def test_a_swipe_that_times_out(sandbox: Sandbox) -> None:
    sandbox.ping.habits["ann"] = Habits("swipe", answer="deny")
    with pytest.raises(LoginRefused, match="timed out"):
        walk(sandbox).arn()


def test_a_phone_that_cannot_be_reached_leads_to_a_code(sandbox: Sandbox) -> None:
    sandbox.ping.habits["otto"] = Habits("swipe", answer="fail")
    assert walk(sandbox, "otto", seed=True).arn() == OTTO
    sandbox.ping.habits["otto"] = Habits("devices", answer="fail")
    sandbox.world.advance(60)
    again = walk(sandbox, "otto", seed=True, mfa="push")
    again.clock.advance(60)
    assert again.arn() == OTTO


def test_nobody_swipes(sandbox: Sandbox) -> None:
    sandbox.ping.habits["ann"] = Habits("swipe", answer="ignore")
    with pytest.raises(LoginRefused, match="in time"):
        walk(sandbox).arn()


def test_a_code(sandbox: Sandbox) -> None:
    sandbox.ping.habits["otto"] = Habits("otp")
    assert walk(sandbox, "otto", seed=True).arn() == OTTO
    with pytest.raises(LoginRefused, match="Invalid passcode"):
        walk(sandbox, "otto", code="000000").arn()


@pytest.mark.parametrize(
    ("mfa", "answers"), [("totp", None), ("Desktop Mac", None), (None, ["Desktop"])]
)
def test_devices_to_choose_from(
    sandbox: Sandbox, mfa: str | None, answers: list[str] | None
) -> None:
    sandbox.ping.habits["otto"] = Habits("devices")
    assert walk(sandbox, "otto", seed=True, mfa=mfa, answers=answers).arn() == OTTO
    assert (sandbox.ping.seen.pushes, sandbox.ping.seen.strays) == (0, [])
    assert not sandbox.ping.signed_out


def test_a_device_that_is_not_there(sandbox: Sandbox) -> None:
    sandbox.ping.habits["otto"] = Habits("devices")
    with pytest.raises(ConfigError, match=r"push \(iPhone X\), totp \(Desktop Mac\)"):
        walk(sandbox, "otto", mfa="sms").arn()
