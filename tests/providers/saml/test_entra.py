"""Microsoft Entra ID: every page and error, against the strict twin."""

from __future__ import annotations

import base64
import zlib
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from pydantic import ValidationError

from broker import registry
from broker.errors import (
    ConfigError,
    InteractionRequired,
    NetworkError,
    UnexpectedReply,
)
from providers.saml import script
from providers.saml.idps.entra import Entra
from tests.providers.saml.keys import registered
from tests.providers.saml.walks import ADMIN_ARN, SignIn, refusal
from tests.sandbox import Sandbox
from tests.sandbox.entra import APP_ID, TENANT
from tests.sandbox.soft_key import SoftKey

END = "/common/SAS/EndAuth"


def entra(sandbox: Sandbox, person: str | None = "ann", **more: Any) -> SignIn:
    """By an AuthnRequest, at the twin instead of the public cloud."""
    options = {"url": sandbox.entra.url, "tenant": TENANT, "app_id": APP_ID}
    options |= {name: more.pop(name) for name in ("mfa", "hosts", "url") if name in more}
    return SignIn(sandbox, {"idp": "entra", **options}, person=person, **more)


def by_start_page(sandbox: Sandbox, person: str | None = "ann", **more: Any) -> SignIn:
    return SignIn(sandbox, {"idp": "entra", "url": sandbox.entra.start_page}, person=person, **more)


class TestPassword:
    def test_by_authn_request(self, sandbox: Sandbox) -> None:
        assert entra(sandbox).login() == f"{ADMIN_ARN}/ann"
        assert sandbox.entra.issuers == [APP_ID]
        assert sandbox.entra.passwords_seen == 1

    def test_by_start_page(self, sandbox: Sandbox) -> None:
        assert by_start_page(sandbox).login() == f"{ADMIN_ARN}/ann"

    def test_the_start_pages_own_order(self, sandbox: Sandbox) -> None:
        """Sign-in, KMSI, hidden form, a page led on by script, and only then the second factor."""
        sandbox.entra.proofs["ann"] = ["PhoneAppNotification"]
        assert by_start_page(sandbox).login() == f"{ADMIN_ARN}/ann"
        assert sandbox.entra.polls == 2

    def test_a_wrong_password_is_posted_once(self, sandbox: Sandbox) -> None:
        error = refusal(entra(sandbox, environ={"AWSLOGIN_PASSWORD": "wrong one"}))
        assert "50126" in error.message
        assert "wrong one" not in error.message
        assert sandbox.entra.passwords_seen == 1

    def test_microsofts_own_words(self, sandbox: Sandbox) -> None:
        sandbox.entra.errors["ann"] = ("50053", "Your account is <b>locked</b>.\x1b[31m")
        error = refusal(entra(sandbox))
        assert "Your account is locked .[31m (50053)" in error.message

    def test_a_disabled_account(self, sandbox: Sandbox) -> None:
        assert "disabled" in refusal(entra(sandbox, "dora")).message

    def test_an_unknown_user_is_not_asked_for_a_password(self, sandbox: Sandbox) -> None:
        sign_in = entra(sandbox, None, environ={"AWSLOGIN_USERNAME": "zoe@corp.example"})
        assert "zoe@corp.example" in refusal(sign_in).message
        assert sandbox.entra.passwords_seen == 0

    def test_without_password(self, sandbox: Sandbox) -> None:
        sandbox.entra.passwordless.add("ann")
        error = refusal(entra(sandbox))
        assert "passkey" in error.message
        assert "idp: browser" in error.hint
        assert sandbox.entra.passwords_seen == 0

    def test_a_form_that_points_elsewhere_gets_nothing(self, sandbox: Sandbox) -> None:
        sandbox.entra.post_to = "http://localhost:9"
        error = refusal(entra(sandbox), UnexpectedReply)
        assert "localhost:9" in error.message
        assert "hosts" in error.hint
        assert sandbox.entra.passwords_seen == 0

    @pytest.mark.parametrize("cmsi", [False, True])
    def test_interrupts(self, sandbox: Sandbox, cmsi: bool) -> None:
        sandbox.entra.bsso, sandbox.entra.cmsi = True, cmsi
        assert entra(sandbox).login() == f"{ADMIN_ARN}/ann"


class TestFederated:
    def test_adfs_that_may_have_the_password(self, sandbox: Sandbox) -> None:
        sandbox.entra.federated.add("ann")
        sandbox.entra.proofs["ann"] = ["PhoneAppNotification"]
        assert entra(sandbox, hosts=[sandbox.entra.adfs_url]).login() == f"{ADMIN_ARN}/ann"
        assert sandbox.entra.passwords_seen == 1

    def test_adfs_that_may_not(self, sandbox: Sandbox) -> None:
        sandbox.entra.federated.add("ann")
        error = refusal(entra(sandbox), UnexpectedReply)
        assert urlsplit(sandbox.entra.adfs_url).netloc in error.message
        assert "hosts" in error.hint
        assert sandbox.entra.passwords_seen == 0

    def test_adfs_refuses(self, sandbox: Sandbox) -> None:
        sandbox.entra.federated.add("ann")
        wrong = {"AWSLOGIN_PASSWORD": "wrong one"}
        error = refusal(entra(sandbox, hosts=[sandbox.entra.adfs_url], environ=wrong))
        assert "Incorrect user ID or password" in error.message
        assert sandbox.entra.passwords_seen == 1


class TestSecondFactor:
    def test_a_number_to_match(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["ann"] = ["PhoneAppNotification"]
        sandbox.entra.number, sandbox.entra.push_after = 73, 5
        sign_in = entra(sandbox)
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert "73" in sign_in.shown
        assert sandbox.entra.polls == 5
        assert sign_in.clock.slept == [1.0] * 4

    @pytest.mark.parametrize(("wish", "slept"), [(2.5, 2.5), (None, 1.0), (0.001, 0.5)])
    def test_the_pages_interval_within_reason(
        self, sandbox: Sandbox, wish: float | None, slept: float
    ) -> None:
        sandbox.entra.proofs["ann"] = ["PhoneAppNotification"]
        sandbox.entra.interval = wish
        sign_in = entra(sandbox)
        sign_in.login()
        assert sign_in.clock.slept == [slept]

    def test_a_push_that_nobody_answers_ends(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["ann"], sandbox.entra.push_after = ["PhoneAppNotification"], 10**6
        sign_in = entra(sandbox)
        assert "in time" in refusal(sign_in).message
        assert sum(sign_in.clock.slept) <= 120

    @pytest.mark.parametrize(
        ("result", "said"),
        [
            ("PhoneAppDenied", "denied"),
            ("PhoneAppNoResponse", "nobody"),
            ("PhoneAppEntropyIncorrect", "another number"),
            ("SomethingNew", "SomethingNew"),
        ],
    )
    def test_a_push_that_fails(self, sandbox: Sandbox, result: str, said: str) -> None:
        sandbox.entra.proofs["ann"] = ["PhoneAppNotification"]
        sandbox.entra.push_result = result
        error = refusal(entra(sandbox))
        assert said in error.message
        assert result in error.message

    def test_a_call(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["ann"] = ["TwoWayVoiceMobile"]
        sign_in = entra(sandbox)
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert "call +XX XXXX 89" in sign_in.shown

    def test_a_seed_gives_the_code(self, sandbox: Sandbox) -> None:
        otto = sandbox.world.people["otto"]
        assert otto.totp
        sandbox.entra.proofs["otto"] = ["PhoneAppOTP"]
        seed = {"team/provider/totp/otto": otto.totp.seed}
        assert entra(sandbox, "otto", keychain=seed).login() == f"{ADMIN_ARN}/otto"

    def test_a_machine_sends_a_wrong_code_once(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["otto"] = ["PhoneAppOTP"]
        refusal(entra(sandbox, "otto", environ={"AWSLOGIN_MFA_CODE": "000000"}))
        assert len(sandbox.calls("entra", END)) == 1

    def test_a_person_may_correct_a_code(self, sandbox: Sandbox) -> None:
        otto = sandbox.world.people["otto"]
        assert otto.totp
        sandbox.entra.proofs["otto"] = ["PhoneAppOTP"]
        right = otto.totp.code(sandbox.world.now())
        sign_in = entra(sandbox, "otto", answers=["000000", right])
        assert sign_in.login() == f"{ADMIN_ARN}/otto"
        assert sign_in.ui.shown == ["The code is wrong."]

    def test_a_code_goes_to_the_pages_own_site_alone(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["otto"] = ["PhoneAppOTP"]
        sandbox.entra.codes_to = sandbox.urls["okta"]
        code = {"AWSLOGIN_MFA_CODE": "123456"}
        error = refusal(entra(sandbox, "otto", environ=code), UnexpectedReply)
        assert urlsplit(sandbox.urls["okta"]).netloc in error.message
        assert sandbox.calls("okta") == []

    def test_an_sms(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["ann"] = ["OneWaySMS"]
        sign_in = entra(sandbox, answers=[])
        sign_in.ui.ask = lambda *_, **__: sandbox.entra.sms()  # type: ignore[method-assign]
        assert sign_in.login() == f"{ADMIN_ARN}/ann"

    def test_several_and_none_default(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["ann"] = ["OneWaySMS", "TwoWayVoiceMobile"]
        assert entra(sandbox, mfa="call").login() == f"{ADMIN_ARN}/ann"
        assert entra(sandbox, answers=["call"]).login() == f"{ADMIN_ARN}/ann"
        assert "SMS +XX XXXX 89" in refusal(entra(sandbox), InteractionRequired).message
        said = refusal(entra(sandbox, mfa="push"), ConfigError).message
        assert "sms (SMS +XX XXXX 89), call (call" in said

    def test_a_passkey_alone(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["ann"] = ["FidoKey"]
        error = refusal(entra(sandbox))
        assert "passkey" in error.message
        assert "idp: browser" in error.hint

    def test_blocked(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["ann"] = ["PhoneAppNotification"]
        sandbox.entra.push_result = "UserIsBlocked"
        assert "blocked" in refusal(entra(sandbox)).message

    def test_throttled(self, sandbox: Sandbox) -> None:
        sandbox.entra.proofs["ann"] = ["PhoneAppNotification"]
        sandbox.entra.push_result = "AuthenticationThrottled"
        assert "AuthenticationThrottled" in refusal(entra(sandbox), NetworkError).message


class TestSecurityKey:
    def key(self, sandbox: Sandbox) -> SoftKey:
        return registered(sandbox.entra.site, pin="135790")

    def test_it_signs_in_without_the_password(self, sandbox: Sandbox) -> None:
        sandbox.entra.passwordless.add("ann")
        sandbox.entra.proofs["ann"] = ["FidoKey"]
        sign_in = entra(sandbox, mfa="webauthn", key=self.key(sandbox), answers=["135790"])
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert (sandbox.entra.passwords_seen, sandbox.entra.site.refusals) == (0, [])

    def test_who_has_none_there_signs_in_by_password(self, sandbox: Sandbox) -> None:
        assert entra(sandbox, mfa="webauthn", answers=[]).login() == f"{ADMIN_ARN}/ann"

    def test_no_key_is_asked_unless_mfa_says_so(self, sandbox: Sandbox) -> None:
        key = self.key(sandbox)
        assert entra(sandbox, key=key, answers=[]).login() == f"{ADMIN_ARN}/ann"
        assert key.asked_for == []

    def test_one_that_microsoft_does_not_take(self, sandbox: Sandbox) -> None:
        key = self.key(sandbox)
        sandbox.entra.site.origin = "https://login.microsoft.com"
        error = refusal(entra(sandbox, mfa="webauthn", key=key, answers=["135790"]))
        assert "couldn't verify your security key" in error.message
        assert "origin" in sandbox.entra.site.refusals[0]

    @pytest.mark.parametrize("at", ["https://login.microsoft.com", "http://localhost:9"])
    def test_a_page_of_another_site_gets_no_signature_of_microsofts(
        self, sandbox: Sandbox, at: str
    ) -> None:
        key = self.key(sandbox)
        sandbox.entra.fido_at = at
        error = refusal(
            entra(sandbox, mfa="webauthn", key=key, answers=["135790"]), UnexpectedReply
        )
        assert "lets no key do" in error.message
        assert key.asked_for == []


class TestDeadEnds:
    @pytest.mark.parametrize(
        "page",
        ["ConvergedConditionalAccess", "ConvergedError", "ConvergedChangePassword", "FidoPage"],
    )
    def test_are_named_with_microsofts_message(self, sandbox: Sandbox, page: str) -> None:
        sandbox.entra.dead_end = (page, "AADSTS53003: Access has been blocked.")
        error = refusal(entra(sandbox))
        assert page in error.message
        assert "AADSTS53003: Access has been blocked." in error.message
        assert "idp: browser" in error.hint

    def test_an_unknown_page_is_named(self, sandbox: Sandbox) -> None:
        sandbox.entra.dead_end = ("ConvergedNovelty", "Hello")
        error = refusal(entra(sandbox), UnexpectedReply)
        assert "ConvergedNovelty" in error.message
        assert "Hello" in error.message
        assert "idp: browser" in error.hint

    def test_registration_is_skipped_where_it_may_be(self, sandbox: Sandbox) -> None:
        sandbox.entra.proof_up = "skippable"
        sign_in = entra(sandbox)
        assert sign_in.login() == f"{ADMIN_ARN}/ann"
        assert "10 days" in sign_in.ui.warned[0]
        sandbox.entra.proof_up = "required"
        error = refusal(entra(sandbox))
        assert "502031" in error.message
        assert "mfasetup" in error.hint

    def test_an_app_that_the_tenant_does_not_know(self, sandbox: Sandbox) -> None:
        options = {"url": sandbox.entra.url, "tenant": TENANT, "app_id": "urn:other"}
        error = refusal(SignIn(sandbox, {"idp": "entra", **options}))
        assert "'urn:other' was not found" in error.message

    def test_a_page_that_repeats_for_ever_ends(self, sandbox: Sandbox) -> None:
        body = '<script>$Config={"pgid":"KmsiInterrupt","urlPost":"/kmsi"};</script>'
        sandbox.fault("entra", status=200, body=body, headers={"Content-Type": "text/html"})
        assert "without end" in refusal(entra(sandbox), UnexpectedReply).message
        assert len(sandbox.calls("entra")) < 60

    def test_a_page_without_its_addresses(self, sandbox: Sandbox) -> None:
        body = '<script>$Config={"pgid":"ConvergedSignIn"};</script>'
        sandbox.fault("entra", status=200, body=body, headers={"Content-Type": "text/html"})
        assert "lacks urlPost" in refusal(entra(sandbox), UnexpectedReply).message


class TestStart:
    def start(self, **options: Any) -> str:
        model = registry.load("saml").Options.model_validate({"idp": "entra", **options})
        from broker.testing import make_ports

        return Entra(model, make_ports({}), None).start()  # type: ignore[arg-type]

    def test_the_authn_request(self) -> None:
        first = self.start(tenant=TENANT, app_id="https://a.example/?x=1&y=<2>")
        assert first.startswith(f"https://login.microsoftonline.com/{TENANT}/saml2?SAMLRequest=")
        (packed,) = parse_qs(urlsplit(first).query, strict_parsing=True)["SAMLRequest"]
        text = zlib.decompress(base64.b64decode(packed, validate=True), -15)
        request = ET.fromstring(text)
        saml = "{urn:oasis:names:tc:SAML:2.0:assertion}"
        assert request.findtext(f"{saml}Issuer") == "https://a.example/?x=1&y=<2>"
        assert request.get("ForceAuthn") == "false"
        assert request.get("ID", "")[0] == "_"
        assert first != self.start(tenant=TENANT, app_id="https://a.example/?x=1&y=<2>")

    def test_sovereign_clouds(self) -> None:
        url = "https://login.microsoftonline.us"
        assert self.start(url=url, tenant=TENANT, app_id="x").startswith(f"{url}/{TENANT}/saml2?")

    def test_a_start_page_is_taken_as_it_is(self) -> None:
        url = "https://account.activedirectory.windowsazure.com/applications/x.aspx?a=b"
        assert self.start(url=url) == url
        assert self.start(url=url, tenant=TENANT, app_id="x") == url

    def test_microsofts_hosts_may_have_the_password(self) -> None:
        options = registry.load("saml").Options
        model: Any = options.model_validate({"idp": "entra", "tenant": TENANT, "app_id": "x"})
        assert model.password_origins() == {
            "https://login.microsoftonline.com:443",
            "https://login.microsoftonline.us:443",
            "https://login.partner.microsoftonline.cn:443",
        }

    def test_options(self) -> None:
        options = registry.load("saml").Options
        with pytest.raises(ValidationError, match="`tenant` and `app_id`, or `url`"):
            options.model_validate({"idp": "entra", "tenant": TENANT})
        with pytest.raises(ValidationError):
            options.model_validate({"idp": "entra", "tenant": "a/../b", "app_id": "x"})


class TestScript:
    @pytest.mark.parametrize(
        "text",
        [
            '$Config={"name": "a&amp;b"};',
            'var $Config = {"name": "a&amp;b"}; if (false) { alert("};"); }\n//]]>',
            '$Config={broken; $Config={"name": "a\\u0026amp;b"}',
        ],
    )
    def test_one_json_value_is_read(self, text: str) -> None:
        assert script.config(f"<script>//<![CDATA[\n{text}</script>") == {"name": "a&amp;b"}

    def test_no_config(self) -> None:
        assert script.config("<script>$Config=[1]; $Config=null</script>") is None

    def test_variables(self) -> None:
        assert script.variable(r"var stateToken = '00a\x2Db';", "stateToken") == "00a-b"
        assert script.variable('{"stateToken":"00c"}', "stateToken") == "00c"
        assert script.variable("var stateToken = '';", "stateToken") is None
