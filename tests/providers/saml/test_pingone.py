"""PingOne's flows, by the strict twin."""

from __future__ import annotations

from typing import Any

import pytest

from broker.errors import (
    AwsLoginError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    UnexpectedReply,
)
from tests.providers.saml.keys import registered
from tests.providers.saml.walks import Walk, refusal
from tests.sandbox import PROD, Sandbox
from tests.sandbox.twin import Habits

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
OTTO = f"arn:aws:sts::{PROD}:assumed-role/Admin/otto"


def walk(sandbox: Sandbox, user: str = "ann", *, idp: str = "pingone", **more: Any) -> Walk:
    return Walk(sandbox, idp, sandbox.pingone.url, user, **more)


@pytest.mark.parametrize("idp", ["pingone", "auto"])
def test_password_alone(sandbox: Sandbox, idp: str) -> None:
    assert walk(sandbox, idp=idp).arn() == ANN
    assert (sandbox.pingone.seen.passwords, sandbox.pingone.seen.strays) == (1, [])


def test_a_wrong_password_is_posted_once(sandbox: Sandbox) -> None:
    error = refusal(walk(sandbox, password="not this one"))
    assert "username or password is incorrect" in error.message
    assert sandbox.pingone.seen.passwords == 1


def test_a_code(sandbox: Sandbox) -> None:
    sandbox.pingone.habits["otto"] = Habits("TOTP")
    assert walk(sandbox, "otto", seed=True).arn() == OTTO
    assert "Der Code ist falsch" in refusal(walk(sandbox, "otto", code="000000")).message
    assert sandbox.pingone.seen.codes == 2


def test_the_third_wrong_code_locks(sandbox: Sandbox) -> None:
    sandbox.pingone.habits["otto"] = Habits("TOTP")
    error = refusal(walk(sandbox, "otto", answers=["000000", "000001", "000002", "000003"]))
    assert "locked" in error.message


def test_devices_to_choose_from(sandbox: Sandbox) -> None:
    sandbox.pingone.habits["otto"] = Habits("TOTP,SMS,MOBILE,PLATFORM")
    assert walk(sandbox, "otto", seed=True, mfa="totp").arn() == OTTO
    assert "SMS +1 XXX 5309" in refusal(walk(sandbox, "otto"), InteractionRequired).message
    signing = walk(sandbox, "otto", mfa="sms", answers=[])
    signing.ui.ask = lambda *_, **__: sandbox.pingone.sent["otto"]  # type: ignore[method-assign]
    assert signing.arn() == OTTO
    assert sandbox.pingone.seen.strays == []


@pytest.mark.parametrize(
    ("answer", "words"), [("approve", ""), ("deny", "rejected"), ("ignore", "in time")]
)
def test_a_push(sandbox: Sandbox, answer: str, words: str) -> None:
    sandbox.pingone.habits["ann"] = Habits("MOBILE", answer=answer)
    signing = walk(sandbox)
    if words:
        assert words in refusal(signing).message
    else:
        assert signing.arn() == ANN
    assert sum(signing.clock.slept) <= 120


def test_a_security_key_signs(sandbox: Sandbox) -> None:
    sandbox.pingone.habits["ann"] = Habits("FIDO2,MOBILE")
    key = registered(sandbox.pingone.site)
    assert walk(sandbox, key=key, mfa="webauthn", answers=[]).arn() == ANN
    assert sandbox.pingone.site.refusals == []
    stranger = registered(sandbox.jumpcloud.site)
    error = refusal(walk(sandbox, key=stranger, mfa="webauthn", answers=[]))
    assert "registered" in error.message


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("MUST_CHANGE_PASSWORD", LoginRefused, "new password"),
        ("AGREEMENT_CONSENT_REQUIRED", LoginRefused, "terms"),
        ("FAILED", LoginRefused, "ended"),
        ("IDENTITY_VERIFICATION_REQUIRED", UnexpectedReply, "IDENTITY_VERIFICATION_REQUIRED"),
    ],
)
def test_states_that_end_it(
    sandbox: Sandbox, status: str, kind: type[AwsLoginError], words: str
) -> None:
    sandbox.pingone.status["ann"] = status
    error = refusal(walk(sandbox), kind)
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, "{}", NetworkError),
        (503, "{}", NetworkError),
        (404, '{"code":"NOT_FOUND"}', UnexpectedReply),
        (200, '{"status":"USERNAME_PASSWORD_REQUIRED","_links":{"self":1}}', UnexpectedReply),
        (200, '{"status":"ASSERTION_REQUIRED","publicKeyCredentialRequestOptions":"{"}', None),
        (200, "[]", UnexpectedReply),
    ],
)
def test_odd_flows(
    sandbox: Sandbox, status: int, body: str, kind: type[AwsLoginError] | None
) -> None:
    sandbox.pingone.status["ann"] = "x"
    flow = f"{sandbox.urls['pingone']}/e/flows/f"
    page = sandbox.urls["pingone"] + "/e/signon/?environmentId=e&flowId=f"
    sandbox.fault("pingone", status=status, body=body, action="/e/flows/f")
    sandbox.fault("pingone", status=200, body="<p>x", action="/e/signon/")
    signing = Walk(sandbox, "pingone", page, answers=[])
    error = refusal(signing, kind or AwsLoginError)
    assert error.exit_code in {3, 5, 6}, flow
    assert sandbox.pingone.seen.passwords == 0
