"""ADFS's pages, by its strict twin."""

from __future__ import annotations

import pytest

from broker.errors import InteractionRequired, LoginRefused
from broker.ports.urls import host_of
from tests.providers.saml.walks import Walk
from tests.sandbox import PROD, Sandbox
from tests.sandbox.adfs import NUMBER, TEXTS
from tests.sandbox.twin import Habits

ANN, OTTO = (f"arn:aws:sts::{PROD}:assumed-role/Admin/{name}" for name in ("ann", "otto"))
KINDS = pytest.mark.parametrize("idp", ["adfs", "auto", "form"])


@KINDS
def test_a_password(sandbox: Sandbox, idp: str) -> None:
    assert Walk(sandbox, idp, sandbox.adfs.url).arn() == ANN
    assert sandbox.adfs.seen.strays == []


def test_the_host_alone_is_enough(sandbox: Sandbox) -> None:
    assert Walk(sandbox, "adfs", sandbox.urls["adfs"]).arn() == ANN


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("refusal", ["wrong", "disabled", "expired"])
def test_refusals_in_the_providers_words(sandbox: Sandbox, language: str, refusal: str) -> None:
    sandbox.adfs.language = language
    sandbox.world.people["ann"].disabled = refusal == "disabled"
    sandbox.adfs.habits["ann"] = Habits(expired=refusal == "expired")
    walk = Walk(sandbox, "adfs", sandbox.adfs.url, password="x" * 8 if refusal == "wrong" else None)
    with pytest.raises(LoginRefused) as refused:
        walk.arn()
    assert TEXTS[language][refusal] in refused.value.message
    assert sandbox.adfs.seen.passwords == 1


@KINDS
@pytest.mark.parametrize("factor", ["code", "rsa"])
def test_a_code(sandbox: Sandbox, idp: str, factor: str) -> None:
    sandbox.adfs.habits["otto"] = Habits(factor)
    assert Walk(sandbox, idp, sandbox.adfs.url, "otto", seed=True).arn() == OTTO
    assert (sandbox.adfs.seen.codes, sandbox.adfs.seen.strays) == (1, [])


@pytest.mark.parametrize("factor", ["code", "rsa"])
def test_a_wrong_code_of_a_machine_is_sent_once(sandbox: Sandbox, factor: str) -> None:
    sandbox.adfs.language = "de"
    sandbox.adfs.habits["otto"] = Habits(factor)
    with pytest.raises(LoginRefused, match=TEXTS["de"]["code"]):
        Walk(sandbox, "adfs", sandbox.adfs.url, "otto", code="000000").arn()
    assert sandbox.adfs.seen.codes == 1


def test_a_person_may_correct_a_code(sandbox: Sandbox) -> None:
    sandbox.adfs.habits["otto"] = Habits("code")
    otto = sandbox.world.people["otto"]
    assert otto.totp
    answers = ["000000", otto.totp.code(sandbox.world.now())]
    walk = Walk(sandbox, "adfs", sandbox.adfs.url, "otto", answers=answers)
    assert walk.arn() == OTTO
    host = host_of(sandbox.adfs.url)
    assert walk.ui.asked == [f"One-time code of otto for {host} (“VIP code”)"] * 2
    assert walk.ui.shown == [f"{host} says: “{TEXTS['en']['code']}”"]


@KINDS
@pytest.mark.parametrize("factor", ["azure", "server"])
def test_an_approval_is_polled(sandbox: Sandbox, idp: str, factor: str) -> None:
    sandbox.adfs.habits["ann"] = Habits(factor, after=3)
    walk = Walk(sandbox, idp, sandbox.adfs.url)
    assert walk.arn() == ANN
    assert sandbox.adfs.seen.polls == 4
    assert walk.clock.slept == [1.0] * 3
    assert [NUMBER in shown for shown in walk.ui.shown] == ([True] if factor == "azure" else [])


def test_a_denied_approval(sandbox: Sandbox) -> None:
    sandbox.adfs.language = "ja"
    sandbox.adfs.habits["ann"] = Habits("azure", answer="deny", after=1)
    with pytest.raises(LoginRefused, match=TEXTS["ja"]["denied"]):
        Walk(sandbox, "adfs", sandbox.adfs.url).arn()
    assert sandbox.adfs.seen.polls == 2


def test_nobody_approves(sandbox: Sandbox) -> None:
    sandbox.adfs.habits["ann"] = Habits("azure", answer="ignore")
    walk = Walk(sandbox, "adfs", sandbox.adfs.url)
    with pytest.raises(LoginRefused, match="in time"):
        walk.arn()
    assert sum(walk.clock.slept) <= 120


@pytest.mark.parametrize(
    ("mfa", "answers", "seed"),
    [("totp", None, True), ("push", None, False), (None, ["Azure Multi"], False)],
)
def test_methods_to_choose_from(
    sandbox: Sandbox, mfa: str | None, answers: list[str] | None, seed: bool
) -> None:
    sandbox.adfs.habits["otto"] = Habits("choose")
    walk = Walk(sandbox, "adfs", sandbox.adfs.url, "otto", answers=answers, seed=seed, mfa=mfa)
    assert walk.arn() == OTTO
    assert sandbox.adfs.seen.strays == []
    assert bool(sandbox.adfs.seen.codes) is seed


def test_several_methods_and_nobody_to_choose(sandbox: Sandbox) -> None:
    sandbox.adfs.habits["otto"] = Habits("choose")
    with pytest.raises(InteractionRequired, match="VIP passcode") as needed:
        Walk(sandbox, "adfs", sandbox.adfs.url, "otto").arn()
    assert "mfa" in needed.value.hint


def test_a_start_address_that_names_no_party(sandbox: Sandbox) -> None:
    bare = sandbox.adfs.url.partition("?")[0]
    assert Walk(sandbox, "adfs", bare).arn() == ANN
    assert Walk(sandbox, "adfs", f" {bare}?client-request-id=1 ").arn() == ANN
