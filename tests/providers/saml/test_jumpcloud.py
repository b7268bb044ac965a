"""JumpCloud's console, by its strict twin."""

from __future__ import annotations

from typing import Any

import pytest

from broker.errors import AwsLoginError, InteractionRequired, NetworkError, UnexpectedReply
from providers.saml.idps.jumpcloud import JumpCloud
from providers.saml.options import SamlOptions
from tests.providers.saml.keys import registered
from tests.providers.saml.walks import Walk, refusal
from tests.sandbox import PROD, Sandbox
from tests.sandbox.twin import Habits

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
OTTO = f"arn:aws:sts::{PROD}:assumed-role/Admin/otto"


def walk(sandbox: Sandbox, user: str = "ann", **more: Any) -> Walk:
    return Walk(sandbox, "jumpcloud", sandbox.jumpcloud.url, user, **more)


def test_password_alone(sandbox: Sandbox) -> None:
    assert walk(sandbox).arn() == ANN
    assert sandbox.jumpcloud.seen.passwords == 1


def test_a_wrong_password_is_posted_once(sandbox: Sandbox) -> None:
    error = refusal(walk(sandbox, password="not this one"))
    assert "Authentication failed" in error.message
    assert "not this one" not in error.message
    assert sandbox.jumpcloud.seen.passwords == 1


def test_a_refused_password_leaves_the_keychain(sandbox: Sandbox) -> None:
    signing = walk(sandbox, password="", remember_password=True)
    signing.keychain.entries["team/provider/password/ann"] = "an old one"
    refusal(signing)
    assert signing.keychain.entries == {}


def test_a_code(sandbox: Sandbox) -> None:
    sandbox.jumpcloud.habits["otto"] = Habits("totp")
    assert walk(sandbox, "otto", seed=True).arn() == OTTO
    error = refusal(walk(sandbox, "otto", code="000000"))
    assert "Invalid verification code" in error.message
    assert sandbox.jumpcloud.seen.codes == 2


def test_a_person_may_correct_a_code(sandbox: Sandbox) -> None:
    sandbox.jumpcloud.habits["otto"] = Habits("totp")
    totp = sandbox.world.people["otto"].totp
    assert totp
    right = totp.code(sandbox.world.now())
    assert walk(sandbox, "otto", answers=["000000", right]).arn() == OTTO


def test_a_push_is_polled(sandbox: Sandbox) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("push")
    signing = walk(sandbox)
    assert signing.arn() == ANN
    assert (sandbox.jumpcloud.seen.pushes, sandbox.jumpcloud.seen.polls) == (1, 3)


def test_a_push_that_is_denied_and_one_that_nobody_answers(sandbox: Sandbox) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("push", answer="deny")
    assert "denied" in refusal(walk(sandbox)).message
    sandbox.jumpcloud.habits["ann"] = Habits("push", answer="ignore")
    signing = walk(sandbox)
    assert "in time" in refusal(signing).message
    assert sum(signing.clock.slept) <= 120


def test_the_factor_is_chosen(sandbox: Sandbox) -> None:
    sandbox.jumpcloud.habits["otto"] = Habits("totp,push,duo")
    assert walk(sandbox, "otto", mfa="push").arn() == OTTO
    assert walk(sandbox, "otto", answers=["Protect"]).arn() == OTTO
    assert "mfa" in refusal(walk(sandbox, "otto"), InteractionRequired).hint


def test_a_security_key_signs(sandbox: Sandbox) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("webauthn,push")
    key = registered(sandbox.jumpcloud.site)
    assert walk(sandbox, key=key, mfa="webauthn", answers=[]).arn() == ANN
    assert (sandbox.jumpcloud.site.refusals, sandbox.jumpcloud.seen.pushes) == ([], 0)


def test_a_key_that_is_not_registered(sandbox: Sandbox) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("webauthn")
    registered(sandbox.jumpcloud.site)
    stranger = registered(sandbox.authentik.site)
    assert "registered" in refusal(walk(sandbox, key=stranger, answers=[])).message


def test_duo_is_the_browsers(sandbox: Sandbox) -> None:
    sandbox.jumpcloud.habits["ann"] = Habits("duo")
    assert "in a browser alone: Duo" in refusal(walk(sandbox)).message


@pytest.mark.parametrize(
    ("status", "said", "kind", "words"),
    [
        (401, "Your account is locked.", AwsLoginError, "locked"),
        (401, "Password expired", AwsLoginError, "browser"),
        (403, "User is suspended", AwsLoginError, "suspended"),
        (401, "Utilisateur inconnu", AwsLoginError, "inconnu"),
        (429, "slow down", NetworkError, "429"),
        (503, "down", NetworkError, "503"),
        (418, "tea", UnexpectedReply, "418"),
    ],
)
def test_refusals(
    sandbox: Sandbox, status: int, said: str, kind: type[AwsLoginError], words: str
) -> None:
    sandbox.jumpcloud.refuses["ann"] = (status, said)
    error = refusal(walk(sandbox), kind)
    assert words in f"{error.message} {error.hint}"
    assert sandbox.jumpcloud.seen.passwords == 1


def test_what_is_no_jumpcloud_gets_no_password(sandbox: Sandbox) -> None:
    error = refusal(Walk(sandbox, "jumpcloud", sandbox.idp.url), UnexpectedReply)
    assert "does not start a sign-in as JumpCloud does" in error.message
    assert sandbox.idp.passwords_seen == 0


@pytest.mark.parametrize(
    ("url", "console"),
    [
        ("https://sso.jumpcloud.com/saml2/aws", "https://console.jumpcloud.com/userconsole/"),
        ("https://sso.eu.jumpcloud.com/saml2/aws", "https://console.eu.jumpcloud.com/userconsole/"),
        ("https://sso.corp.example/saml2/aws", "https://sso.corp.example/userconsole/"),
    ],
)
def test_where_the_console_is(sandbox: Sandbox, url: str, console: str) -> None:
    options = SamlOptions.model_validate({"idp": "jumpcloud", "url": url})
    idp = JumpCloud(options, walk(sandbox).provider.ports, None)  # type: ignore[arg-type]
    assert idp._console == console
    assert {f"{console.removesuffix('/userconsole/')}:443"} <= options.password_origins()
