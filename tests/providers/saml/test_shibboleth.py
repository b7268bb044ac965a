"""Shibboleth's pages and ECP, by its strict twin."""

from __future__ import annotations

import pytest

from broker.errors import InteractionRequired, LoginRefused, UnexpectedReply
from tests.providers.saml.walks import Walk
from tests.sandbox import PROD, Sandbox
from tests.sandbox.shibboleth import ECP
from tests.sandbox.twin import Habits

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
OTTO = f"arn:aws:sts::{PROD}:assumed-role/Admin/otto"


@pytest.mark.parametrize("idp", ["shibboleth", "auto", "form"])
def test_a_password(sandbox: Sandbox, idp: str) -> None:
    assert Walk(sandbox, idp, sandbox.shibboleth.url).arn() == ANN
    assert sandbox.shibboleth.seen.strays == []


def test_the_host_alone_is_enough(sandbox: Sandbox) -> None:
    assert Walk(sandbox, "shibboleth", sandbox.urls["shibboleth"] + "/").arn() == ANN


def test_a_code_of_the_keychains_seed(sandbox: Sandbox) -> None:
    sandbox.shibboleth.habits["otto"] = Habits("totp")
    assert Walk(sandbox, "shibboleth", sandbox.shibboleth.url, "otto", seed=True).arn() == OTTO


@pytest.mark.parametrize(
    ("refusal", "words"),
    [("wrong", "was incorrect"), ("disabled", "has been disabled"), ("expired", "has expired")],
)
def test_refusals(sandbox: Sandbox, refusal: str, words: str) -> None:
    sandbox.world.people["ann"].disabled = refusal == "disabled"
    sandbox.shibboleth.habits["ann"] = Habits(expired=refusal == "expired")
    password = "not this one" if refusal == "wrong" else None
    with pytest.raises(LoginRefused, match=words):
        Walk(sandbox, "shibboleth", sandbox.shibboleth.url, password=password).arn()
    assert sandbox.shibboleth.seen.passwords == 1


def test_a_wrong_code(sandbox: Sandbox) -> None:
    sandbox.shibboleth.habits["otto"] = Habits("totp")
    with pytest.raises(LoginRefused, match="token code is wrong"):
        Walk(sandbox, "shibboleth", sandbox.shibboleth.url, "otto", code="000000").arn()
    assert sandbox.shibboleth.seen.codes == 1


def test_consent_is_a_persons(sandbox: Sandbox) -> None:
    sandbox.shibboleth.habits["ann"] = Habits("consent")
    with pytest.raises(InteractionRequired, match="consent"):
        Walk(sandbox, "shibboleth", sandbox.shibboleth.url).arn()
    with pytest.raises(LoginRefused, match="declined"):
        Walk(sandbox, "shibboleth", sandbox.shibboleth.url, answers=["n"]).arn()
    assert Walk(sandbox, "shibboleth", sandbox.shibboleth.url, answers=["y"]).arn() == ANN


def test_what_only_a_browser_can_do(sandbox: Sandbox) -> None:
    sandbox.shibboleth.habits["ann"] = Habits("duo")
    with pytest.raises(UnexpectedReply, match=r"Web Login Service.*Duo") as unknown:
        Walk(sandbox, "shibboleth", sandbox.shibboleth.url).arn()
    assert "idp: browser" in unknown.value.hint


def test_ecp(sandbox: Sandbox) -> None:
    url = sandbox.urls["shibboleth"] + ECP
    assert Walk(sandbox, "shibboleth", url).arn() == ANN
    with pytest.raises(LoginRefused, match="refused the password"):
        Walk(sandbox, "shibboleth", url, password="not this one").arn()
    assert sandbox.shibboleth.seen.passwords == 2
