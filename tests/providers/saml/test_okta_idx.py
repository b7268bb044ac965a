"""Okta Identity Engine by its sign-in page's JSON, against the strict twin."""

from __future__ import annotations

from typing import Any

import pytest

from broker.errors import (
    AwsLoginError,
    ConfigError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    UnexpectedReply,
)
from tests.providers.saml.keys import registered
from tests.providers.saml.walks import ADMIN_ARN, SignIn, refusal
from tests.sandbox import Sandbox
from tests.sandbox.okta import APP
from tests.sandbox.okta_idx import ION, OktaIdx

ANN, OTTO = f"{ADMIN_ARN}/ann", f"{ADMIN_ARN}/otto"


@pytest.fixture
def idx(sandbox: Sandbox) -> OktaIdx:
    okta = sandbox.okta
    okta.pipeline = "idx"
    okta.site.origin, okta.site.rp_id = okta.url, "127.0.0.1"
    okta.idx = OktaIdx(sandbox.world, okta.site, okta.url)
    return okta.idx


def okta(sandbox: Sandbox, person: str = "ann", mfa: str | None = None, **more: Any) -> SignIn:
    options: dict[str, Any] = {"idp": "okta", "url": f"{sandbox.okta.url}{APP}"}
    options |= {"mfa": mfa} if mfa else {}
    if more.pop("seed", False):
        totp = sandbox.world.people[person].totp
        assert totp
        more["keychain"] = {f"team/provider/totp/{person}": totp.seed}
    return SignIn(sandbox, options, person=person, **more)


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
def test_password_alone(sandbox: Sandbox, idx: OktaIdx, *, apart: bool) -> None:
    idx.apart = apart
    assert okta(sandbox).login() == ANN
    assert (idx.passwords_seen, idx.strays) == (1, [])


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
def test_a_wrong_password_is_posted_once(sandbox: Sandbox, idx: OktaIdx, *, apart: bool) -> None:
    idx.apart = apart
    error = refusal(okta(sandbox, environ={"AWSLOGIN_PASSWORD": "wrong one"}))
    assert "Unable to sign in" in error.message
    assert "wrong one" not in error.message
    assert idx.passwords_seen == 1


@pytest.mark.parametrize(("key", "mfa"), [("google_otp", None), ("okta_verify", "totp")])
def test_a_code(sandbox: Sandbox, idx: OktaIdx, key: str, mfa: str | None) -> None:
    idx.factors["otto"] = [key]
    assert okta(sandbox, "otto", mfa, seed=True).login() == OTTO


def test_a_wrong_code_is_asked_for_again_of_a_person_alone(sandbox: Sandbox, idx: OktaIdx) -> None:
    idx.factors["otto"] = ["google_otp"]
    error = refusal(okta(sandbox, "otto", environ={"AWSLOGIN_MFA_CODE": "000000"}))
    assert "Invalid code" in error.message
    assert idx.codes_seen == 1
    totp = sandbox.world.people["otto"].totp
    assert totp
    right = totp.code(sandbox.world.now())
    assert okta(sandbox, "otto", answers=["000000", right]).login() == OTTO
    assert "locked" in refusal(okta(sandbox, "otto", answers=["1", "2", "3", "4"])).message


@pytest.mark.parametrize("confirms", [False, True])
@pytest.mark.parametrize("mfa", ["sms", None])
def test_an_sms(sandbox: Sandbox, idx: OktaIdx, mfa: str | None, *, confirms: bool) -> None:
    idx.factors["ann"], idx.confirms = ["phone_number"], confirms
    sign_in = okta(sandbox, mfa=mfa, answers=[])
    sign_in.ui.choose = lambda *_, **__: 0  # type: ignore[method-assign]
    sign_in.ui.ask = lambda *_, **__: idx.sent["ann"]  # type: ignore[method-assign]
    assert sign_in.login() == ANN


def test_a_push_is_polled_and_its_number_shown(sandbox: Sandbox, idx: OktaIdx) -> None:
    idx.factors["ann"], idx.number, idx.push_after = ["okta_verify"], 42, 3
    sign_in = okta(sandbox, mfa="push")
    assert sign_in.login() == ANN
    assert sign_in.ui.shown == ["Tap 42 in Okta Verify"]
    assert sign_in.clock.slept == [4.0, 4.0]


def test_a_push_that_is_rejected_and_one_that_nobody_answers(
    sandbox: Sandbox, idx: OktaIdx
) -> None:
    idx.factors["ann"] = ["okta_verify"]
    idx.push_result = "You have chosen to reject this login."
    assert "chosen to reject" in refusal(okta(sandbox, mfa="push")).message
    idx.push_after = 10**6
    assert "in time" in refusal(okta(sandbox, mfa="push")).message


@pytest.mark.parametrize("pin", [None, "135790"])
def test_a_security_key_signs(sandbox: Sandbox, idx: OktaIdx, pin: str | None) -> None:
    idx.factors["ann"] = ["webauthn", "okta_verify"]
    idx.site.verification = "required" if pin else "discouraged"
    key = registered(idx.site, pin=pin)
    sign_in = okta(sandbox, mfa="webauthn", key=key, answers=[pin] if pin else [])
    assert sign_in.login() == ANN
    assert (idx.site.refusals, idx.strays) == ([], [])


def test_a_security_key_is_the_only_factor_and_nobody_is_here(
    sandbox: Sandbox, idx: OktaIdx
) -> None:
    idx.factors["ann"] = ["webauthn"]
    key = registered(idx.site)
    assert "idp: browser" in refusal(okta(sandbox, key=key)).hint
    assert okta(sandbox, key=key, answers=[]).login() == ANN


def test_a_key_for_another_site_is_of_no_use(sandbox: Sandbox, idx: OktaIdx) -> None:
    idx.factors["ann"] = ["webauthn"]
    key = registered(idx.site)
    idx.site.origin = "https://login.corp.example"
    assert "Invalid code" in refusal(okta(sandbox, key=key, answers=[])).message
    assert "origin" in idx.site.refusals[0]


def test_a_security_question(sandbox: Sandbox, idx: OktaIdx) -> None:
    idx.factors["ann"] = ["security_question"]
    sign_in = okta(sandbox, answers=["fluffy"])
    assert sign_in.login() == ANN
    assert "Name of the cat?" in sign_in.ui.asked[0]


def test_several_factors(sandbox: Sandbox, idx: OktaIdx) -> None:
    idx.factors["otto"] = ["google_otp", "phone_number", "duo"]
    error = refusal(okta(sandbox, "otto"), InteractionRequired)
    assert "Phone (SMS) +1 XXX-5309" in error.message
    assert okta(sandbox, "otto", "Google Authenticator", seed=True).login() == OTTO
    assert "webauthn" in refusal(okta(sandbox, "otto", "webauthn"), ConfigError).message


def test_an_app_that_asks_for_more(sandbox: Sandbox, idx: OktaIdx) -> None:
    sandbox.okta.step_up = True
    idx.factors["ann"] = ["okta_verify"]
    assert okta(sandbox, mfa="push").login() == ANN
    assert (idx.passwords_seen, idx.strays) == (1, [])


def test_duo_and_fastpass_are_the_browsers(sandbox: Sandbox, idx: OktaIdx) -> None:
    idx.factors["ann"] = ["duo"]
    assert "Duo" in refusal(okta(sandbox)).message
    idx.ways["ann"] = ["device-challenge-poll", "cancel-polling"]
    error = refusal(okta(sandbox))
    assert "FastPass" in error.message
    assert "idp: browser" in error.hint


@pytest.mark.parametrize(
    ("way", "kind", "words"),
    [
        ("select-authenticator-enroll", LoginRefused, "registered first"),
        ("reenroll-authenticator", LoginRefused, "expired"),
        ("consent", LoginRefused, "terms"),
        ("something-new", UnexpectedReply, "something-new"),
    ],
)
def test_dead_ends(
    sandbox: Sandbox, idx: OktaIdx, way: str, kind: type[AwsLoginError], words: str
) -> None:
    idx.factors["ann"], idx.ways["ann"] = ["duo"], [way]
    error = refusal(okta(sandbox), kind)
    assert words in error.message
    assert error.hint


def test_what_may_be_skipped_is(sandbox: Sandbox, idx: OktaIdx) -> None:
    idx.ways["ann"] = ["skip"]
    sign_in = okta(sandbox)
    assert sign_in.login() == ANN
    assert sign_in.ui.warned


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, "{}", NetworkError),
        (500, "{}", NetworkError),
        (200, "nonsense", UnexpectedReply),
        (200, '{"remediation":[]}', UnexpectedReply),
        (403, '{"messages":{"value":[{"message":"Zugriff verweigert"}]}}', LoginRefused),
        (
            200,
            '{"remediation":{"value":[{"name":"skip","href":"https://e.example/"}]}}',
            UnexpectedReply,
        ),
    ],
)
def test_odd_answers(
    sandbox: Sandbox, idx: OktaIdx, status: int, body: str, kind: type[AwsLoginError]
) -> None:
    headers = {"Content-Type": ION}
    sandbox.fault("okta", status=status, body=body, headers=headers, action="/idp/idx/identify")
    error = refusal(okta(sandbox, environ={"AWSLOGIN_MFA_CODE": "123456"}), kind)
    assert "123456" not in error.message


def test_an_org_whose_page_starts_nothing_needs_its_client(sandbox: Sandbox) -> None:
    sandbox.okta.pipeline = "idx"
    assert "client_id" in refusal(okta(sandbox), ConfigError).message
