"""OneLogin: its API, every factor and error, against the strict twin."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from broker import registry
from broker.errors import AwsLoginError, InteractionRequired, UnexpectedReply
from tests.providers.saml.walks import ADMIN_ARN, SignIn, refusal
from tests.sandbox import Sandbox
from tests.sandbox.onelogin import APP_ID, CLIENT_ID, CLIENT_SECRET, SUBDOMAIN

SECRET = {"AWSLOGIN_CLIENT_SECRET": CLIENT_SECRET}
ENTRY = f"team/provider/client-secret/{CLIENT_ID}"
VERIFY = "/api/2/saml_assertion/verify_factor"
PROTECT, SMS, TOTP = "OneLogin Protect", "OneLogin SMS", "Google Authenticator"


def onelogin(sandbox: Sandbox, person: str | None = "ann", **more: Any) -> SignIn:
    options: dict[str, Any] = {
        "url": sandbox.onelogin.url,
        "app_id": int(APP_ID),
        "subdomain": SUBDOMAIN,
        "client_id": CLIENT_ID,
    }
    options |= {name: more.pop(name) for name in ("mfa", "app_id") if name in more}
    environ = {**SECRET, **more.pop("environ", {})}
    return SignIn(sandbox, {"idp": "onelogin", **options}, person=person, environ=environ, **more)


@pytest.fixture(params=[False, True], ids=["v2", "v1"])
def either(request: pytest.FixtureRequest, sandbox: Sandbox) -> Sandbox:
    """Both forms of its replies."""
    sandbox.onelogin.v1 = request.param
    return sandbox


def test_password_alone(either: Sandbox) -> None:
    assert onelogin(either).login() == f"{ADMIN_ARN}/ann"
    assert either.onelogin.passwords_seen == 1


def test_a_wrong_password_is_posted_once(either: Sandbox) -> None:
    error = refusal(onelogin(either, environ={"AWSLOGIN_PASSWORD": "wrong one"}))
    assert "Invalid user credentials" in error.message
    assert either.onelogin.passwords_seen == 1


def test_push(either: Sandbox) -> None:
    either.onelogin.devices["ann"] = [PROTECT]
    either.onelogin.push_after = 3
    sign_in = onelogin(either)
    assert sign_in.login() == f"{ADMIN_ARN}/ann"
    assert (either.onelogin.pushes, either.onelogin.polls) == (1, 3)
    assert sign_in.shown == "Approve the sign-in in OneLogin Protect"


def test_a_push_that_is_denied(sandbox: Sandbox) -> None:
    sandbox.onelogin.devices["ann"], sandbox.onelogin.push_denied = [PROTECT], True
    assert "denied by the user" in refusal(onelogin(sandbox)).message


def test_a_push_that_nobody_answers_ends(sandbox: Sandbox) -> None:
    sandbox.onelogin.devices["ann"], sandbox.onelogin.push_after = [PROTECT], 10**6
    sign_in = onelogin(sandbox)
    assert "in time" in refusal(sign_in).message
    assert sum(sign_in.clock.slept) <= 120
    assert sandbox.onelogin.pushes == 1


def test_a_seed_gives_the_code(either: Sandbox) -> None:
    otto = either.world.people["otto"]
    assert otto.totp
    either.onelogin.devices["otto"] = [TOTP]
    seed = {"team/provider/totp/otto": otto.totp.seed}
    assert onelogin(either, "otto", keychain=seed).login() == f"{ADMIN_ARN}/otto"


def test_an_sms(sandbox: Sandbox) -> None:
    sandbox.onelogin.devices["ann"] = [SMS]
    sign_in = onelogin(sandbox, answers=[])
    sign_in.ui.ask = lambda *_, **__: sandbox.onelogin.sent["ann"]  # type: ignore[method-assign]
    assert sign_in.login() == f"{ADMIN_ARN}/ann"


def test_several_devices(sandbox: Sandbox) -> None:
    sandbox.onelogin.devices["ann"] = [TOTP, PROTECT, PROTECT]
    sign_in = onelogin(sandbox, mfa="push", answers=["666668"])
    assert sign_in.login() == f"{ADMIN_ARN}/ann"
    assert sandbox.calls("onelogin", VERIFY)[0].json["device_id"] == "666668"
    assert "mfa" in refusal(onelogin(sandbox), InteractionRequired).hint


def test_the_code_of_onelogin_protect(sandbox: Sandbox) -> None:
    otto = sandbox.world.people["otto"]
    assert otto.totp
    sandbox.onelogin.devices["otto"] = [PROTECT]
    code = {"AWSLOGIN_MFA_CODE": otto.totp.code(sandbox.world.now())}
    assert onelogin(sandbox, "otto", mfa="totp", environ=code).login() == f"{ADMIN_ARN}/otto"
    assert sandbox.onelogin.pushes == 0


def test_codes_come_from_the_authenticator_beside_onelogin_protect(sandbox: Sandbox) -> None:
    otto = sandbox.world.people["otto"]
    assert otto.totp
    sandbox.onelogin.devices["otto"] = [PROTECT, TOTP]
    code = {"AWSLOGIN_MFA_CODE": otto.totp.code(sandbox.world.now())}
    assert onelogin(sandbox, "otto", mfa="totp", environ=code).login() == f"{ADMIN_ARN}/otto"
    assert sandbox.calls("onelogin", VERIFY)[0].json["device_id"] == "666667"


def test_a_device_is_named_by_its_id(sandbox: Sandbox) -> None:
    sandbox.onelogin.devices["ann"] = [PROTECT, PROTECT]
    assert onelogin(sandbox, mfa="666667").login() == f"{ADMIN_ARN}/ann"
    assert sandbox.calls("onelogin", VERIFY)[0].json["device_id"] == "666667"


def test_a_machine_sends_a_wrong_code_once(sandbox: Sandbox) -> None:
    sandbox.onelogin.devices["otto"] = [TOTP]
    error = refusal(onelogin(sandbox, "otto", environ={"AWSLOGIN_MFA_CODE": "000000"}))
    assert "Failed authentication with this factor" in error.message
    assert len(sandbox.calls("onelogin", VERIFY)) == 1


def test_a_person_may_correct_a_code_with_the_new_state_token(sandbox: Sandbox) -> None:
    otto = sandbox.world.people["otto"]
    assert otto.totp
    sandbox.onelogin.devices["otto"] = [TOTP]
    right = otto.totp.code(sandbox.world.now())
    assert onelogin(sandbox, "otto", answers=["000000", right]).login() == f"{ADMIN_ARN}/otto"


def test_webauthn_is_the_browsers(sandbox: Sandbox) -> None:
    sandbox.onelogin.devices["ann"] = ["OneLogin WebAuthn"]
    assert "idp: browser" in refusal(onelogin(sandbox)).hint


def test_a_wrong_app(sandbox: Sandbox) -> None:
    error = refusal(onelogin(sandbox, app_id="999"))
    assert "App not found" in error.message
    assert "app_id" in error.hint


def test_an_answer_without_assertion(sandbox: Sandbox) -> None:
    body = '{"message":"Something new"}'
    sandbox.fault("onelogin", status=200, body=body, action="/api/2/saml_assertion")
    error = refusal(onelogin(sandbox), UnexpectedReply)
    assert "Something new" in error.message


def test_an_assertion_without_roles_in_it_is_read(sandbox: Sandbox) -> None:
    assert refusal(onelogin(sandbox, "nora"), AwsLoginError).exit_code == 8


class TestClientSecret:
    NONE: dict[str, str] = {"AWSLOGIN_CLIENT_SECRET": ""}  # noqa: RUF012

    def test_from_the_keychain(self, sandbox: Sandbox) -> None:
        kept = {ENTRY: CLIENT_SECRET}
        assert onelogin(sandbox, environ=self.NONE, keychain=kept).login() == f"{ADMIN_ARN}/ann"

    def test_typed_and_kept(self, sandbox: Sandbox) -> None:
        sign_in = onelogin(sandbox, environ=self.NONE, answers=[CLIENT_SECRET, "y"])
        sign_in.login()
        assert sign_in.keychain.entries == {ENTRY: CLIENT_SECRET}
        sign_in.login()

    def test_typed_and_not_kept(self, sandbox: Sandbox) -> None:
        sign_in = onelogin(sandbox, environ=self.NONE, answers=[CLIENT_SECRET, "n"])
        sign_in.login()
        assert sign_in.keychain.entries == {}

    def test_nobody_to_ask(self, sandbox: Sandbox) -> None:
        error = refusal(onelogin(sandbox, environ=self.NONE), InteractionRequired)
        assert "AWSLOGIN_CLIENT_SECRET" in error.hint
        assert sandbox.onelogin.passwords_seen == 0

    def test_one_that_is_refused_leaves_the_keychain(self, sandbox: Sandbox) -> None:
        sign_in = onelogin(sandbox, environ=self.NONE, keychain={ENTRY: "an old one"})
        error = refusal(sign_in)
        assert CLIENT_ID in error.message
        assert "an old one" not in error.message
        assert sign_in.keychain.entries == {}
        assert sandbox.onelogin.passwords_seen == 0


def test_options() -> None:
    options = registry.load("saml").Options
    with pytest.raises(ValidationError, match="`subdomain`"):
        options.model_validate({"idp": "onelogin", "url": "https://api.us.onelogin.com"})
