"""Auth0's classic page and Universal Login, by the strict twin."""

from __future__ import annotations

from typing import Any

import pytest

from broker.errors import AwsLoginError, InteractionRequired, NetworkError, UnexpectedReply
from tests.providers.saml.walks import Walk, refusal
from tests.sandbox import PROD, Sandbox
from tests.sandbox.auth0 import Auth0
from tests.sandbox.twin import Habits

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
OTTO = f"arn:aws:sts::{PROD}:assumed-role/Admin/otto"
KINDS = pytest.mark.parametrize("idp", ["auth0", "auto"])


def walk(sandbox: Sandbox, user: str = "ann", *, idp: str = "auth0", **more: Any) -> Walk:
    return Walk(sandbox, idp, more.pop("url", sandbox.auth0.url), user, **more)


@pytest.fixture
def universal(sandbox: Sandbox) -> Auth0:
    sandbox.auth0.universal = True
    return sandbox.auth0


class TestClassic:
    @KINDS
    def test_password_alone(self, sandbox: Sandbox, idp: str) -> None:
        assert walk(sandbox, idp=idp).arn() == ANN
        assert (sandbox.auth0.seen.passwords, sandbox.auth0.seen.strays) == (1, [])

    def test_a_wrong_password_is_posted_once(self, sandbox: Sandbox) -> None:
        error = refusal(walk(sandbox, password="not this one"))
        assert "Wrong email or password." in error.message
        assert sandbox.auth0.seen.passwords == 1

    def test_several_connections(self, sandbox: Sandbox) -> None:
        sandbox.auth0.connections = ["staff", "partners"]
        error = refusal(walk(sandbox), InteractionRequired)
        assert "staff, partners" in error.message
        assert "?connection=NAME" in error.hint
        assert sandbox.auth0.seen.passwords == 0
        assert walk(sandbox, answers=["partners"]).arn() == ANN
        assert walk(sandbox, url=f"{sandbox.auth0.url}?connection=staff").arn() == ANN

    @pytest.mark.parametrize("body", ["", "Auth0.setClient({", "<html>"])
    def test_the_usual_connection_where_none_is_told(self, sandbox: Sandbox, body: str) -> None:
        sandbox.fault("auth0", status=404, body=body, action="/cdn/client/c1ient.js")
        assert walk(sandbox).arn() == ANN

    def test_no_connection_with_a_password(self, sandbox: Sandbox) -> None:
        sandbox.auth0.connections = []
        assert "password of its own" in refusal(walk(sandbox), UnexpectedReply).message

    @pytest.mark.parametrize(
        ("status", "answer", "kind", "words"),
        [
            (429, {"code": "too_many_attempts", "description": "Blockiert"}, NetworkError, "429"),
            (401, {"code": "password_expired", "description": "旧密码"}, AwsLoginError, "旧密码"),
            (401, {"code": "unauthorized", "description": "user is blocked"}, AwsLoginError, "blo"),
            (400, {"code": "invalid_captcha"}, UnexpectedReply, "captcha"),
            (500, {}, NetworkError, "500"),
            (400, {"description": {"rules": []}, "name": "PasswordStrengthError"}, AwsLoginError,
             "PasswordStrengthError"),
            (200, {"odd": 1}, UnexpectedReply, "not understand"),
        ],
    )  # fmt: skip
    def test_refusals(
        self,
        sandbox: Sandbox,
        status: int,
        answer: dict[str, Any],
        kind: type[AwsLoginError],
        words: str,
    ) -> None:
        sandbox.auth0.refuses = (status, answer)
        error = refusal(walk(sandbox), kind)
        assert words in error.message or kind is NetworkError
        assert error.exit_code in {3, 5, 6}

    def test_a_page_of_another_site_gets_no_password(self, sandbox: Sandbox) -> None:
        other = f"http://localhost:{sandbox.services['auth0'].port}/samlp/c1ient"
        sandbox.fault("auth0", times=1, status=302, headers={"Location": other})
        error = refusal(walk(sandbox), UnexpectedReply)
        assert "hosts" in error.hint
        assert sandbox.auth0.seen.passwords == 0


class TestUniversalLogin:
    @KINDS
    @pytest.mark.parametrize("first", [False, True], ids=["together", "identifier"])
    def test_password_alone(
        self, sandbox: Sandbox, universal: Auth0, idp: str, *, first: bool
    ) -> None:
        universal.identifier_first = first
        assert walk(sandbox, idp=idp).arn() == ANN
        assert (universal.seen.passwords, universal.seen.strays) == (1, [])

    def test_a_wrong_password_in_its_own_words(self, sandbox: Sandbox, universal: Auth0) -> None:
        error = refusal(walk(sandbox, password="not this one"))
        assert "Falscher Benutzername oder Passwort" in error.message
        assert universal.seen.passwords == 1

    def test_a_code(self, sandbox: Sandbox, universal: Auth0) -> None:
        universal.habits["otto"] = Habits("otp")
        assert walk(sandbox, "otto", seed=True).arn() == OTTO
        error = refusal(walk(sandbox, "otto", code="000000"))
        assert "Der Code ist ungültig" in error.message
        assert universal.seen.strays == []

    @pytest.mark.parametrize("factor", ["push", "webauthn"])
    def test_another_method_where_mfa_names_one(
        self, sandbox: Sandbox, universal: Auth0, factor: str
    ) -> None:
        universal.habits["otto"] = Habits(factor)
        assert walk(sandbox, "otto", seed=True, mfa="totp").arn() == OTTO

    @pytest.mark.parametrize(
        ("factor", "words"), [("push", "Guardian"), ("webauthn", "a security key or a passkey")]
    )
    def test_what_a_script_waits_for(
        self, sandbox: Sandbox, universal: Auth0, factor: str, words: str
    ) -> None:
        universal.habits["ann"] = Habits(factor)
        assert words in refusal(walk(sandbox), UnexpectedReply).message

    def test_enrolment_and_consent(self, sandbox: Sandbox, universal: Auth0) -> None:
        universal.habits["ann"] = Habits("enroll")
        assert "second factor registered" in refusal(walk(sandbox)).message
        universal.habits["ann"] = Habits("consent")
        assert "consent" in refusal(walk(sandbox), InteractionRequired).message
        assert walk(sandbox, answers=["y"]).arn() == ANN

    def test_a_captcha(self, sandbox: Sandbox, universal: Auth0) -> None:
        universal.captcha = True
        assert "captcha" in refusal(walk(sandbox), UnexpectedReply).message
        assert universal.seen.passwords == 0
