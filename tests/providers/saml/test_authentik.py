"""authentik's flows, by its strict twin; `auto` finds the way by itself."""

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
from tests.sandbox.authentik import APP
from tests.sandbox.twin import Habits

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
OTTO = f"arn:aws:sts::{PROD}:assumed-role/Admin/otto"
KINDS = pytest.mark.parametrize("idp", ["authentik", "auto"])
COMBINED = pytest.mark.parametrize("combined", [False, True], ids=["apart", "combined"])


def walk(sandbox: Sandbox, user: str = "ann", *, idp: str = "authentik", **more: Any) -> Walk:
    return Walk(sandbox, idp, sandbox.authentik.url, user, **more)


@KINDS
@COMBINED
def test_password_alone(sandbox: Sandbox, idp: str, *, combined: bool) -> None:
    sandbox.authentik.combined = combined
    assert walk(sandbox, idp=idp).arn() == ANN
    assert (sandbox.authentik.seen.passwords, sandbox.authentik.seen.strays) == (1, [])


@COMBINED
def test_a_wrong_password_is_posted_once(sandbox: Sandbox, *, combined: bool) -> None:
    sandbox.authentik.combined = combined
    error = refusal(walk(sandbox, password="not this one"))
    assert error.message == ("Failed to authenticate." if combined else "Invalid password")
    assert sandbox.authentik.seen.passwords == 1


def test_a_user_that_is_not_there(sandbox: Sandbox) -> None:
    error = refusal(walk(sandbox, "nobody", password="some password"))
    assert "Failed to authenticate." in error.message
    assert sandbox.authentik.seen.passwords == 0


@KINDS
def test_a_code(sandbox: Sandbox, idp: str) -> None:
    sandbox.authentik.habits["otto"] = Habits("totp")
    assert walk(sandbox, "otto", idp=idp, seed=True).arn() == OTTO


def test_a_machine_sends_a_wrong_code_once(sandbox: Sandbox) -> None:
    sandbox.authentik.habits["otto"] = Habits("totp")
    assert "Invalid Token" in refusal(walk(sandbox, "otto", code="000000")).message
    assert sandbox.authentik.seen.codes == 1


def test_a_person_may_correct_a_code(sandbox: Sandbox) -> None:
    sandbox.authentik.habits["otto"] = Habits("totp")
    totp = sandbox.world.people["otto"].totp
    assert totp
    right = totp.code(sandbox.world.now())
    signing = walk(sandbox, "otto", answers=["000000", right])
    assert signing.arn() == OTTO
    assert "Invalid Token" in signing.shown


def test_a_code_by_sms_is_sent_once_the_device_is_selected(sandbox: Sandbox) -> None:
    sandbox.authentik.habits["ann"] = Habits("sms,duo")
    signing = walk(sandbox, answers=[])
    signing.ui.ask = lambda *_, **__: sandbox.authentik.sent["ann"]  # type: ignore[method-assign]
    assert signing.arn() == ANN


def test_the_device_is_chosen(sandbox: Sandbox) -> None:
    sandbox.authentik.habits["otto"] = Habits("totp,sms,webauthn")
    assert walk(sandbox, "otto", seed=True, mfa="totp").arn() == OTTO
    assert "mfa" in refusal(walk(sandbox, "otto"), InteractionRequired).hint


@pytest.mark.parametrize("pin", [None, "135790"])
def test_a_security_key_signs(sandbox: Sandbox, pin: str | None) -> None:
    sandbox.authentik.habits["ann"] = Habits("webauthn,totp")
    sandbox.authentik.site.verification = "required" if pin else "discouraged"
    key = registered(sandbox.authentik.site, pin=pin)
    answers = [pin] if pin else []
    signing = walk(sandbox, key=key, mfa="webauthn", answers=answers)
    assert signing.arn() == ANN
    assert sandbox.authentik.site.refusals == []


def test_a_key_that_is_not_registered(sandbox: Sandbox) -> None:
    sandbox.authentik.habits["ann"] = Habits("webauthn")
    registered(sandbox.authentik.site)
    stranger = registered(sandbox.jumpcloud.site)
    assert "registered" in refusal(walk(sandbox, key=stranger, answers=[])).message


def test_consent_is_a_persons_decision(sandbox: Sandbox) -> None:
    sandbox.authentik.asks_consent = True
    error = refusal(walk(sandbox), InteractionRequired)
    assert "sign into aws" in error.message
    assert walk(sandbox, answers=["y"]).arn() == ANN
    assert "declined" in refusal(walk(sandbox, answers=["n"])).message


@pytest.mark.parametrize(
    ("stage", "kind", "words"),
    [
        (
            {"name": "access-denied", "error_message": "Konto gesperrt"},
            LoginRefused,
            "Konto gesperrt",
        ),
        ({"name": "authenticator-totp"}, LoginRefused, "registered first"),
        (
            {"name": "prompt", "fields": [{"label": "利用規約に同意します"}]},
            LoginRefused,
            "利用規約",
        ),
        ({"name": "captcha"}, UnexpectedReply, "captcha"),
        ({"name": "dummy"}, UnexpectedReply, "ak-stage-dummy"),
        ({"name": "flow-error"}, NetworkError, "failed"),
    ],
)
def test_stages_that_end_it(
    sandbox: Sandbox, stage: dict[str, Any], kind: type[AwsLoginError], words: str
) -> None:
    sandbox.authentik.stage["ann"] = stage
    error = refusal(walk(sandbox), kind)
    assert words in error.message
    assert error.hint


def test_duo_is_the_browsers(sandbox: Sandbox) -> None:
    sandbox.authentik.habits["ann"] = Habits("duo")
    error = refusal(walk(sandbox))
    assert "in a browser alone: Duo" in error.message


def test_a_captcha_before_the_password(sandbox: Sandbox) -> None:
    sandbox.authentik.captcha = True
    assert "captcha" in refusal(walk(sandbox), UnexpectedReply).message
    assert sandbox.authentik.seen.passwords == 0


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, '{"detail": "Request was throttled."}', NetworkError),
        (502, "Bad gateway", NetworkError),
        (403, '{"detail": "nein"}', UnexpectedReply),
        (200, "<html>", UnexpectedReply),
        (200, "[1]", UnexpectedReply),
        (200, '{"type":"redirect","to":"http://10.1.2.3/"}', UnexpectedReply),
        (200, '{"component":"ak-stage-autosubmit","url":7,"attrs":[]}', AwsLoginError),
        (200, '{"component":["x"],"response_errors":[1]}', UnexpectedReply),
    ],
)
def test_odd_answers(sandbox: Sandbox, status: int, body: str, kind: type[AwsLoginError]) -> None:
    path = "/api/v3/flows/executor/default-authentication-flow/"
    sandbox.fault("authentik", status=status, body=body, action=path)
    error = refusal(walk(sandbox), kind)
    assert error.exit_code in {5, 6}
    assert sandbox.authentik.seen.passwords == 0


def test_a_flow_that_never_ends(sandbox: Sandbox) -> None:
    path = "/api/v3/flows/executor/default-authentication-flow/"
    body = '{"component":"ak-stage-user-login"}'
    sandbox.fault("authentik", status=200, body=body, action=path)
    assert "without end" in refusal(walk(sandbox), UnexpectedReply).message


def test_the_password_goes_to_no_other_site(sandbox: Sandbox) -> None:
    elsewhere = f"http://localhost:{sandbox.services['authentik'].port}"
    landing = f"{elsewhere}/if/flow/default-authentication-flow/?next={APP}"
    sandbox.fault("authentik", times=1, status=302, headers={"Location": landing})
    error = refusal(walk(sandbox), UnexpectedReply)
    assert "hosts" in error.hint
    assert sandbox.authentik.seen.passwords == 0
