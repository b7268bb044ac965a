"""Okta: both engines, every state, against the strict twin."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from broker import registry
from broker.errors import (
    ConfigError,
    InteractionRequired,
    NetworkError,
    UnexpectedReply,
)
from broker.ports.urls import host_of
from tests.providers.saml.walks import ADMIN_ARN, SignIn, refusal
from tests.sandbox import Sandbox
from tests.sandbox.okta import APP, APP_ID, CLIENT_ID
from tests.sandbox.relying_party import encoded
from tests.sandbox.soft_key import SoftKey

VERIFY = "/api/v1/authn/factors/f0/verify"


def okta(sandbox: Sandbox, person: str | None = "ann", **more: Any) -> SignIn:
    options: dict[str, Any] = {"idp": "okta", "url": f"{sandbox.okta.url}{APP}"}
    options |= {name: more.pop(name) for name in ("mfa", "client_id", "app_id") if name in more}
    return SignIn(sandbox, options, person=person, **more)


def engine(sandbox: Sandbox, **more: Any) -> SignIn:
    sandbox.okta.pipeline = "idx"
    more.setdefault("answers", [])
    return okta(sandbox, client_id=CLIENT_ID, app_id=more.pop("app", APP_ID), **more)


def with_key(sandbox: Sandbox, pin: str | None = None, others: list[str] | None = None) -> SoftKey:
    """Ann's key, which the org knows."""
    key = SoftKey(pin=pin)
    site = sandbox.okta.site
    site.origin, site.rp_id = sandbox.okta.url, "127.0.0.1"
    credential, public_key = key.register(site.rp_id)
    site.register("ann", credential, public_key)
    profile = {"credentialId": encoded(credential), "authenticatorName": "Soft Key"}
    sandbox.okta.factors["ann"] = [("webauthn", profile), *(others or [])]
    return key


class TestClassic:
    def test_password_alone(self, sandbox: Sandbox) -> None:
        assert okta(sandbox).login() == f"{ADMIN_ARN}/ann"
        assert sandbox.okta.passwords_seen == 1

    def test_a_wrong_password_is_posted_once(self, sandbox: Sandbox) -> None:
        error = refusal(okta(sandbox, environ={"AWSLOGIN_PASSWORD": "wrong one"}))
        assert "Authentication failed" in error.message
        assert "wrong one" not in error.message
        assert sandbox.okta.passwords_seen == 1

    def test_a_refused_password_leaves_the_keychain(self, sandbox: Sandbox) -> None:
        sign_in = SignIn(
            sandbox,
            {"idp": "okta", "url": sandbox.okta.url + APP, "remember_password": True},
            person=None,
            keychain={"team/provider/password/ann": "an old one"},
        )
        refusal(sign_in)
        assert sign_in.keychain.entries == {}

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            ("LOCKED_OUT", "locked"),
            ("PASSWORD_EXPIRED", "expired"),
            ("PASSWORD_RESET", "new password"),
            ("RECOVERY", "recovered"),
            ("CONSENT_REQUIRED", "terms"),
        ],
    )
    def test_dead_ends_are_named(self, sandbox: Sandbox, status: str, said: str) -> None:
        sandbox.okta.status["ann"] = status
        error = refusal(okta(sandbox))
        assert status in error.message
        assert said in error.message
        assert sandbox.okta.url in error.hint

    def test_an_unknown_state_is_named(self, sandbox: Sandbox) -> None:
        sandbox.okta.status["ann"] = "SOMETHING_NEW"
        error = refusal(okta(sandbox), UnexpectedReply)
        assert "SOMETHING_NEW" in error.message
        assert "idp: browser" in error.hint

    def test_a_password_that_expires_soon_is_a_warning(self, sandbox: Sandbox) -> None:
        sandbox.okta.status["ann"] = "PASSWORD_WARN"
        sign_in = okta(sandbox)
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert "5 days" in sign_in.ui.warned[0]

    def test_enrolment_is_skipped_where_it_may_be(self, sandbox: Sandbox) -> None:
        sandbox.okta.status["ann"] = "MFA_ENROLL"
        assert okta(sandbox).login() == f"{ADMIN_ARN}/ann"
        sandbox.okta.skippable = False
        assert "registered" in refusal(okta(sandbox)).message

    def test_push_is_polled_and_its_number_shown(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"] = ["push"]
        sandbox.okta.push_number, sandbox.okta.push_after = 42, 4
        sign_in = okta(sandbox)
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert sandbox.okta.polls == 4
        assert sign_in.ui.shown == ["Tap 42 in Okta Verify"]

    @pytest.mark.parametrize(
        ("result", "said"),
        [("REJECTED", "rejected"), ("TIMEOUT", "in time"), ("ERROR", "failed")],
    )
    def test_push_that_is_not_approved(self, sandbox: Sandbox, result: str, said: str) -> None:
        sandbox.okta.factors["ann"], sandbox.okta.push_result = ["push"], result
        assert said in refusal(okta(sandbox)).message

    def test_push_that_nobody_answers_ends(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"], sandbox.okta.push_after = ["push"], 10**6
        sign_in = okta(sandbox)
        assert "in time" in refusal(sign_in).message
        assert sum(sign_in.clock.slept) <= 120
        assert sandbox.okta.polls <= 61

    def test_a_seed_gives_the_code(self, sandbox: Sandbox) -> None:
        otto = sandbox.world.people["otto"]
        assert otto.totp
        sandbox.okta.factors["otto"] = ["token:software:totp"]
        seed = {"team/provider/totp/otto": otto.totp.seed}
        assert okta(sandbox, "otto", keychain=seed).login() == f"{ADMIN_ARN}/otto"

    def test_a_machine_sends_a_wrong_code_once(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["otto"] = ["token:software:totp"]
        error = refusal(okta(sandbox, "otto", environ={"AWSLOGIN_MFA_CODE": "000000"}))
        assert "doesn't match our records" in error.message
        assert len(sandbox.calls("okta", VERIFY)) == 1

    def test_a_person_may_correct_a_code_twice(self, sandbox: Sandbox) -> None:
        otto = sandbox.world.people["otto"]
        assert otto.totp
        sandbox.okta.factors["otto"] = ["token:hardware"]
        right = otto.totp.code(sandbox.world.now())
        sign_in = okta(sandbox, "otto", answers=["000000", "000001", right])
        assert sign_in.login() == f"{ADMIN_ARN}/otto"
        refusal(okta(sandbox, "otto", answers=[f"00000{n}" for n in range(9)]))
        assert len(sandbox.calls("okta", VERIFY)) == 6

    @pytest.mark.parametrize(
        ("code", "hint"), [("E0000011", "took too long"), ("E0000069", "helpdesk")]
    )
    def test_no_code_is_asked_again_when_all_is_over(
        self, sandbox: Sandbox, code: str, hint: str
    ) -> None:
        sandbox.okta.factors["otto"] = ["token"]
        body = f'{{"errorCode":"{code}","errorSummary":"It is over"}}'
        sandbox.fault("okta", status=403, body=body, action=VERIFY)
        error = refusal(okta(sandbox, "otto", answers=[f"00000{n}" for n in range(9)]))
        assert "It is over" in error.message
        assert hint in error.hint
        assert len(sandbox.calls("okta", VERIFY)) == 1

    @pytest.mark.parametrize("kind", ["sms", "call", "email"])
    def test_codes_that_are_sent(self, sandbox: Sandbox, kind: str) -> None:
        sandbox.okta.factors["ann"] = [(kind, {"phoneNumber": "+1 XXX-89"})]
        sign_in = okta(sandbox, answers=[])

        def read(question: str, **_: Any) -> str:
            assert "+1 XXX-89" in question
            return sandbox.okta.sent["ann"]

        sign_in.ui.ask = read  # type: ignore[method-assign]
        assert sign_in.login() == f"{ADMIN_ARN}/ann"

    def test_a_seed_is_not_taken_for_an_sms(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"] = ["sms"]
        seed = {"team/provider/totp/ann": "JBSWY3DPEHPK3PXP"}
        refusal(okta(sandbox, keychain=seed), InteractionRequired)

    def test_security_question(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"] = [("question", {"questionText": "Name of the cat?"})]
        sign_in = okta(sandbox, answers=["fluffy"])
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        host = host_of(sandbox.okta.url)
        asked = f"Answer for {host} to its security question “Name of the cat?”"
        assert sign_in.ui.asked == [asked]
        assert "doesn't match" in refusal(okta(sandbox, answers=["rex"])).message

    def test_mfa_names_the_factor(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"] = ["sms", "push", "webauthn"]
        assert okta(sandbox, mfa="push").login() == f"{ADMIN_ARN}/ann"
        assert "totp" in refusal(okta(sandbox, mfa="totp"), ConfigError).message
        assert "mfa" in refusal(okta(sandbox), InteractionRequired).hint

    def test_several_factors_of_one_kind(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"] = [("push", {"name": "old"}), ("push", {"name": "new phone"})]
        sign_in = okta(sandbox, mfa="push", answers=["new phone"])
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert sandbox.calls("okta", "/api/v1/authn/factors/f1/verify")
        assert not sandbox.calls("okta", VERIFY)

    @pytest.mark.parametrize("kind", ["webauthn", "u2f", "web", "claims_provider", "brand:new"])
    def test_what_a_terminal_cannot_do(self, sandbox: Sandbox, kind: str) -> None:
        sandbox.okta.factors["ann"] = [kind]
        assert "idp: browser" in refusal(okta(sandbox)).hint

    def test_webauthn_by_name(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"] = ["webauthn", "push"]
        assert "idp: browser" in refusal(okta(sandbox, mfa="webauthn")).hint
        assert okta(sandbox).login() == f"{ADMIN_ARN}/ann"

    def test_a_security_key_signs(self, sandbox: Sandbox) -> None:
        key = with_key(sandbox)
        sign_in = okta(sandbox, key=key, answers=[])
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert (sandbox.okta.site.refusals, key.asked_for) == ([], ["127.0.0.1"])

    def test_a_security_key_with_a_pin(self, sandbox: Sandbox) -> None:
        key = with_key(sandbox, pin="135790")
        sandbox.okta.site.verification = "required"
        sign_in = okta(sandbox, key=key, answers=["135790"])
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert sign_in.ui.asked == [
            f"PIN of Soft Key, to sign in at {host_of(sandbox.okta.url)}",
        ]

    def test_a_key_that_is_plugged_in_is_a_choice_and_one_in_a_drawer_is_none(
        self, sandbox: Sandbox
    ) -> None:
        key = with_key(sandbox, others=["push"])
        sign_in = okta(sandbox, key=key, answers=["security key"])
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert sandbox.okta.polls == 0
        assert okta(sandbox, answers=[]).login() == f"{ADMIN_ARN}/ann"
        assert okta(sandbox, key=key).login() == f"{ADMIN_ARN}/ann"
        assert okta(sandbox, key=key, mfa="push", answers=[]).login() == f"{ADMIN_ARN}/ann"
        assert len(key.asked_for) == 1

    @pytest.mark.parametrize(
        ("spoilt", "why"),
        [
            ({"rp_id": "login.corp.example"}, "rp id"),
            ({"origin": "https://login.corp.example"}, "origin"),
        ],
    )
    def test_what_a_key_signs_for_one_site_is_of_no_use_to_another(
        self, sandbox: Sandbox, spoilt: dict[str, str], why: str
    ) -> None:
        key = with_key(sandbox)
        vars(sandbox.okta.site).update(spoilt)
        assert "WebAuthn failed" in refusal(okta(sandbox, key=key, answers=[])).message
        assert why in sandbox.okta.site.refusals[0]

    def test_a_challenge_for_another_site_reaches_no_key(self, sandbox: Sandbox) -> None:
        key = with_key(sandbox)
        body = json.dumps(
            {
                "status": "MFA_CHALLENGE",
                "stateToken": "00x",
                "_embedded": {
                    "factor": {
                        "factorType": "webauthn",
                        "_embedded": {
                            "challenge": {"challenge": "q" * 30, "rpId": "login.bank.example"}
                        },
                    }
                },
                "_links": {"next": {"href": sandbox.okta.url + VERIFY}},
            }
        )
        sandbox.fault("okta", status=200, body=body, action=VERIFY)
        error = refusal(okta(sandbox, key=key, answers=[]), UnexpectedReply)
        assert "login.bank.example" in error.message
        assert key.asked_for == []

    def test_a_security_key_needs_somebody_to_touch_it(self, sandbox: Sandbox) -> None:
        error = refusal(okta(sandbox, key=with_key(sandbox)))
        assert "on a terminal" in error.hint
        error = refusal(okta(sandbox, answers=[]), InteractionRequired)
        assert "plugged in" in error.message

    def test_step_up_at_the_app(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"], sandbox.okta.step_up = ["push"], True
        assert okta(sandbox).login() == f"{ADMIN_ARN}/ann"
        assert sandbox.okta.passwords_seen == 1

    def test_a_remembered_device_is_asked_for_no_factor(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"] = ["push"]
        sign_in = okta(sandbox)
        sign_in.login()
        sign_in.login()
        assert (sandbox.okta.passwords_seen, sandbox.okta.polls) == (2, 2)
        sign_in.provider.logout()
        sign_in.login()
        assert sandbox.okta.polls == 4

    def test_another_machine_is_another_device(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["ann"] = ["push"]
        okta(sandbox).login()
        okta(sandbox).login()
        assert sandbox.okta.polls == 4

    def test_links_to_another_site_get_no_code(self, sandbox: Sandbox) -> None:
        sandbox.okta.factors["otto"] = ["token"]
        sandbox.okta.foreign_links = "http://localhost:9"
        error = refusal(okta(sandbox, "otto", environ={"AWSLOGIN_MFA_CODE": "1"}), UnexpectedReply)
        assert "localhost:9" in error.message

    def test_an_app_that_is_not_assigned(self, sandbox: Sandbox) -> None:
        error = refusal(okta(sandbox, "nora"), UnexpectedReply)
        assert "not allowed" in error.message

    def test_throttled(self, sandbox: Sandbox) -> None:
        body = '{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit"}'
        sandbox.fault("okta", status=429, body=body, action="/api/v1/authn")
        error = refusal(okta(sandbox), NetworkError)
        assert "answered 429" in error.message
        assert len(sandbox.calls("okta", "/api/v1/authn")) == 1

    def test_something_that_is_not_json(self, sandbox: Sandbox) -> None:
        sandbox.fault("okta", status=200, body="<html>", action="/api/v1/authn")
        refusal(okta(sandbox), UnexpectedReply)

    def test_without_a_password_nothing_is_posted(self, sandbox: Sandbox) -> None:
        error = refusal(okta(sandbox, None), InteractionRequired)
        assert "AWSLOGIN_PASSWORD" in error.hint
        assert sandbox.okta.passwords_seen == 0


class TestIdentityEngine:
    def test_device_code_and_exchange(self, sandbox: Sandbox) -> None:
        sign_in = engine(sandbox, person=None)
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert "ABCDWXYZ" in sign_in.shown
        assert sign_in.clock.slept == [5, 5]
        assert sign_in.ui.browsed
        assert sandbox.okta.passwords_seen == 0

    def test_the_next_sign_in_is_silent(self, sandbox: Sandbox) -> None:
        sign_in = engine(sandbox)
        sign_in.login()
        sign_in.ui.interactive = False
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert len(sandbox.calls("okta", "/oauth2/v1/device/authorize")) == 1

    def test_tokens_that_ended_are_replaced(self, sandbox: Sandbox) -> None:
        sign_in = engine(sandbox)
        sign_in.login()
        sandbox.okta.end_sessions()
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert len(sandbox.calls("okta", "/oauth2/v1/device/authorize")) == 2

    def test_slow_down_is_heeded(self, sandbox: Sandbox) -> None:
        sandbox.okta.slow_down = True
        sign_in = engine(sandbox)
        sign_in.login()
        assert sign_in.clock.slept == [5, 10]

    def test_denied(self, sandbox: Sandbox) -> None:
        sandbox.okta.approves = "nobody"
        assert "denied" in refusal(engine(sandbox)).message

    def test_never_confirmed(self, sandbox: Sandbox) -> None:
        sandbox.okta.approves = None
        sign_in = engine(sandbox)
        assert "before its code expired" in refusal(sign_in).message
        assert sum(sign_in.clock.slept) <= 600

    def test_nobody_there(self, sandbox: Sandbox) -> None:
        refusal(engine(sandbox, answers=None), InteractionRequired)
        assert not sandbox.calls("okta", "/oauth2/v1/device/authorize")

    def test_assurance_is_explained(self, sandbox: Sandbox) -> None:
        sandbox.okta.assurance_missing = True
        error = refusal(engine(sandbox))
        assert "assurance requirements" in error.message
        assert "same authentication policy" in error.hint
        assert "2 minutes" in error.hint

    def test_another_app_names_the_assigned_ones(self, sandbox: Sandbox) -> None:
        error = refusal(engine(sandbox, app="0oanother"))
        assert "0oanother" in error.message
        assert "0oa1 (AWS)" in error.hint

    def test_an_unknown_client(self, sandbox: Sandbox) -> None:
        sandbox.okta.pipeline = "idx"
        error = refusal(okta(sandbox, client_id="x", app_id=APP_ID, answers=[]), ConfigError)
        assert "client_id" in error.message

    @pytest.mark.parametrize("given", [{}, {"client_id": CLIENT_ID}, {"app_id": APP_ID}])
    def test_without_its_options(self, sandbox: Sandbox, given: dict[str, str]) -> None:
        sandbox.okta.pipeline = "idx"
        error = refusal(okta(sandbox, **given), ConfigError)
        for name in {"client_id", "app_id"} - set(given):
            assert f"`{name}`" in error.message
        assert "idp: browser" in error.hint
        assert sandbox.okta.passwords_seen == 0

    def test_an_engine_that_does_not_say_so(self, sandbox: Sandbox) -> None:
        sandbox.okta.pipeline = "idx"
        sandbox.fault("okta", status=404, body="", action="/.well-known/okta-organization")
        sandbox.okta.step_up = True
        error = refusal(okta(sandbox), ConfigError)
        assert "client_id" in error.message

    def test_the_web_token_is_never_in_an_address(self, sandbox: Sandbox) -> None:
        engine(sandbox).login()
        (call,) = sandbox.calls("okta", "/login/token/sso")
        assert (call.method, call.query) == ("POST", {})


def test_options() -> None:
    options = registry.load("saml").Options
    options.model_validate({"idp": "okta", "url": "https://corp.okta.com/home/amazon_aws/0oa1/272"})
    with pytest.raises(ValidationError, match="`idp: okta` needs `url`"):
        options.model_validate({"idp": "okta"})
    with pytest.raises(ValidationError, match="goes with `idp: okta"):
        options.model_validate({"idp": "form", "url": "https://x.example", "client_id": "x"})


@pytest.mark.parametrize("path", ["", "/", "/app/UserHome", "/home/amazon_aws_sso/0oa1/272"])
def test_an_address_that_opens_no_app_of_aws(sandbox: Sandbox, path: str) -> None:
    sign_in = SignIn(sandbox, {"idp": "okta", "url": sandbox.okta.url + path})
    error = refusal(sign_in, ConfigError)
    assert ("identity-center" if "sso" in path else "/home/amazon_aws/0oa") in error.hint
    assert sandbox.okta.passwords_seen == 0
