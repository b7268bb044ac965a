"""Replies of Okta, Entra ID and OneLogin that are broken: never a defect of ours."""

from __future__ import annotations

from typing import Any

import pytest

from broker.errors import AwsLoginError
from providers.saml import api, script
from tests.providers.saml.walks import SignIn
from tests.sandbox import Sandbox
from tests.sandbox.entra import APP_ID as ENTRA_APP
from tests.sandbox.entra import TENANT
from tests.sandbox.okta import APP
from tests.sandbox.okta import APP_ID as OKTA_APP
from tests.sandbox.okta import CLIENT_ID as OKTA_CLIENT
from tests.sandbox.onelogin import APP_ID, CLIENT_ID, CLIENT_SECRET, SUBDOMAIN

BODIES = {
    "null": "null",
    "list": "[1]",
    "empty": "{}",
    "deep": '{"a":' * 100_000,
    "types": '{"status":[],"stateToken":{},"_embedded":[],"_links":3,"data":[7],"message":[]}',
    "factors": '{"status":"MFA_REQUIRED","stateToken":"x","_embedded":{"factors":[null,7,{}]}}',
    "challenge": '{"status":"MFA_CHALLENGE","_embedded":{"factor":[]},"_links":{"next":[]}}',
    "success": '{"status":"SUCCESS","_links":{"next":{"href":"http://["}}}',
    "mfa": '{"message":"MFA is required","state_token":[],"devices":[null,{"device_type":9}]}',
    "credentials": '{"Credentials":[],"FlowToken":7,"IfExistsResult":"1"}',
    "federated": '{"Credentials":{"FederationRedirectUrl":"http://["}}',
    "device": '{"device_code":1,"verification_uri":"file:///etc/passwd","interval":"soon"}',
    "page": '<script>$Config={"pgid":["x"],"hpgid":{},"urlPost":"http://["}</script>',
    "proofs": '<script>$Config={"pgid":"ConvergedTFA","arrUserProofs":[null,{}]}</script>',
}


def options(sandbox: Sandbox, which: str) -> dict[str, Any]:
    return {
        "okta": {"idp": "okta", "url": sandbox.okta.url + APP},
        "engine": {
            "idp": "okta",
            "url": sandbox.okta.url + APP,
            "client_id": OKTA_CLIENT,
            "app_id": OKTA_APP,
        },
        "entra": {
            "idp": "entra",
            "url": sandbox.entra.url,
            "tenant": TENANT,
            "app_id": ENTRA_APP,
        },
        "onelogin": {
            "idp": "onelogin",
            "url": sandbox.onelogin.url,
            "app_id": APP_ID,
            "subdomain": SUBDOMAIN,
            "client_id": CLIENT_ID,
        },
    }[which]


def exit_code_of(sign_in: SignIn) -> int:
    try:
        sign_in.login()
    except AwsLoginError as error:
        return error.exit_code
    return 0


WHERE = [
    ("okta", "/api/v1/authn"),
    ("okta", "/api/v1/authn/factors/f0/verify"),
    ("engine", "/oauth2/v1/device/authorize"),
    ("engine", "/oauth2/v1/token"),
    ("engine", "/.well-known/okta-organization"),
    ("entra", f"/{TENANT}/saml2"),
    ("entra", "/common/GetCredentialType"),
    ("entra", "/common/SAS/BeginAuth"),
    ("entra", "/common/SAS/EndAuth"),
    ("onelogin", "/auth/oauth2/v2/token"),
    ("onelogin", "/api/2/saml_assertion"),
    ("onelogin", "/api/2/saml_assertion/verify_factor"),
]


@pytest.mark.parametrize(("which", "path"), WHERE, ids=[f"{w}{p}" for w, p in WHERE])
def test_malformed_replies_end_in_our_words(sandbox: Sandbox, which: str, path: str) -> None:
    service = {"engine": "okta"}.get(which, which)
    sandbox.okta.pipeline = "idx" if which == "engine" else "v1"
    sandbox.okta.factors["ann"] = ["push"]
    sandbox.entra.proofs["ann"] = ["PhoneAppNotification"]
    sandbox.onelogin.devices["ann"] = ["OneLogin Protect"]
    secret = {"AWSLOGIN_CLIENT_SECRET": CLIENT_SECRET}
    for name, body in BODIES.items():
        sandbox.heal(service)
        sandbox.fault(service, status=200, body=body, action=path)
        sign_in = SignIn(sandbox, options(sandbox, which), environ=secret, answers=["1"] * 9)
        code = exit_code_of(sign_in)
        # Where GetCredentialType says nothing, the next page may do without it.
        assert code in ({0, 2, 3, 5, 6} if "CredentialType" in path else {2, 3, 5, 6}), name
        assert sandbox.calls(service, path), name
        assert not [url for url in sign_in.ui.browsed if not url.startswith("http")]


def test_words_of_a_hostile_page_are_one_plain_line() -> None:
    said = "<" * 10**6 + "x"
    assert len(api.plain_line(said)) <= api.MAX_CHARACTERS + 1
    assert api.plain_line("a\x1b[2J\nb\u202ec <b>d</b> &lt;e&gt;\x00") == "a[2J bc d <e>"


def test_seconds_stay_within_bounds() -> None:
    odd: list[object] = ["soon", None, [], float("nan")]
    assert [api.seconds(value, 5, least=1, most=60) for value in odd] == [5] * 4
    assert [api.seconds(value, 5, least=1, most=60) for value in (0, -3, 1e400, "7")] == [
        1,
        1,
        60,
        7,
    ]


def test_scripts_of_a_hostile_page() -> None:
    assert script.config('$Config={"a":' * 10**4) is None
    assert script.variable("stateToken='" + "a" * 10**6 + "'", "stateToken") is None
    assert script.variable(r"var stateToken = '00a\x2Db';", "stateToken") == "00a-b"
