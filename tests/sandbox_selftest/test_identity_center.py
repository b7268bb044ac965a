"""The sandbox's Identity Center refuses what AWS's refuses."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox import DEV, PROD, Sandbox
from tests.sandbox_selftest.conftest import Client, Refuses
from tests.support import PATIENCE

REDIRECT = "http://127.0.0.1/oauth/callback"
VERIFIER = "v" * 64
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Machine:
    """A client of sso-oidc with a registration."""

    def __init__(self, sandbox: Sandbox, oidc: Any, **more: Any) -> None:
        self.sandbox = sandbox
        self.oidc = oidc
        scopes = ["sso:account:access"]
        made = oidc.register_client(clientName="x", clientType="public", scopes=scopes, **more)
        self.who = {"clientId": made["clientId"], "clientSecret": made["clientSecret"]}

    def start(self) -> Any:
        return self.oidc.start_device_authorization(**self.who, startUrl=self.sandbox.start_url)

    def token(self, **grant: str) -> Any:
        return self.oidc.create_token(**self.who, **grant)

    def signed_in(self) -> Any:
        started = self.start()
        self.sandbox.approve(started["userCode"])
        return self.token(grantType=DEVICE, deviceCode=started["deviceCode"])


@pytest.fixture
def machine(sandbox: Sandbox, client: Client) -> Machine:
    return Machine(sandbox, client("sso-oidc"))


@pytest.fixture
def browser(sandbox: Sandbox, client: Client) -> Machine:
    return Machine(
        sandbox,
        client("sso-oidc"),
        grantTypes=["authorization_code", "refresh_token"],
        redirectUris=[REDIRECT],
        issuerUrl=sandbox.start_url,
    )


def authorized(machine: Machine, **change: str) -> requests.Response:
    query = {
        "response_type": "code",
        "client_id": machine.who["clientId"],
        "redirect_uri": "http://127.0.0.1:4711/oauth/callback",
        "state": "s",
        "code_challenge_method": "S256",
        "scopes": "sso:account:access",
        "code_challenge": challenge(VERIFIER),
    } | change
    url = f"{machine.sandbox.urls['oidc']}/authorize"
    return requests.post(
        url, params=query, data={"person": "ann"}, allow_redirects=False, timeout=PATIENCE
    )


def code_of(reply: requests.Response) -> dict[str, list[str]]:
    return parse_qs(urlsplit(reply.headers["Location"]).query)


def test_a_device_code_is_polled_at_its_pace_and_spent_once(
    machine: Machine, sandbox: Sandbox, refuses: Refuses
) -> None:
    started = machine.start()
    grant = {"grantType": DEVICE, "deviceCode": started["deviceCode"]}
    with refuses("AuthorizationPendingException"):
        machine.token(**grant)
    with refuses("SlowDownException"):
        machine.token(**grant)
    sandbox.world.advance(20)
    sandbox.approve(started["userCode"])
    assert machine.token(**grant)["refreshToken"]
    with refuses("InvalidGrantException"):
        machine.token(**grant)


def test_a_device_code_ends(machine: Machine, sandbox: Sandbox, refuses: Refuses) -> None:
    started = machine.start()
    sandbox.world.advance(601)
    with refuses("ExpiredTokenException"):
        machine.token(grantType=DEVICE, deviceCode=started["deviceCode"])
    denied = machine.start()
    sandbox.deny(denied["userCode"])
    with refuses("AccessDeniedException"):
        machine.token(grantType=DEVICE, deviceCode=denied["deviceCode"])


def test_a_refresh_token_is_good_once(machine: Machine, sandbox: Sandbox, refuses: Refuses) -> None:
    first = machine.signed_in()
    second = machine.token(grantType="refresh_token", refreshToken=first["refreshToken"])
    assert second["refreshToken"] != first["refreshToken"]
    with refuses("InvalidGrantException"):
        machine.token(grantType="refresh_token", refreshToken=first["refreshToken"])
    sandbox.world.advance(sandbox.oidc.portal_session)
    with refuses("InvalidGrantException"):
        machine.token(grantType="refresh_token", refreshToken=second["refreshToken"])


def test_a_code_wants_its_verifier_and_redirect(browser: Machine, refuses: Refuses) -> None:
    for change in ({"codeVerifier": "w" * 64}, {"redirectUri": f"{REDIRECT}/other"}):
        good = {"redirectUri": "http://127.0.0.1:4711/oauth/callback", "codeVerifier": VERIFIER}
        (code,) = code_of(authorized(browser))["code"]
        with refuses("InvalidGrantException"):
            browser.token(grantType="authorization_code", code=code, **good | change)
        with refuses("InvalidGrantException"):  # it is spent by the wrong try
            browser.token(grantType="authorization_code", code=code, **good)
    (code,) = code_of(authorized(browser))["code"]
    assert browser.token(grantType="authorization_code", code=code, **good)["accessToken"]


def test_the_authorize_page_checks_the_request(browser: Machine, machine: Machine) -> None:
    assert authorized(browser, redirect_uri="https://evil.example/").status_code == 400
    assert authorized(browser, client_id="x").status_code == 400
    assert authorized(machine).status_code == 400
    for change in (
        {"code_challenge_method": "plain"},
        {"scopes": "a:b:c"},
        {"code_challenge": "x"},
    ):
        assert code_of(authorized(browser, **change))["error"] == ["invalid_request"]


def test_registrations(
    sandbox: Sandbox, client: Client, machine: Machine, refuses: Refuses
) -> None:
    oidc = client("sso-oidc")
    with refuses("InvalidRedirectUriException"):
        Machine(
            sandbox, oidc, grantTypes=["authorization_code"], redirectUris=["https://x.example/"]
        )
    machine.who["clientSecret"] += "x"
    with refuses("InvalidClientException", status=401):
        machine.start()


def test_the_portal_knows_who_asks(
    machine: Machine, sandbox: Sandbox, client: Client, refuses: Refuses
) -> None:
    portal = client("sso")
    with refuses("UnauthorizedException", status=401):
        portal.list_accounts(accessToken="x")
    token = machine.signed_in()["accessToken"]
    with refuses("ForbiddenException", status=403):
        portal.get_role_credentials(accessToken=token, accountId=PROD, roleName="Admin")
    reply = portal.get_role_credentials(accessToken=token, accountId=DEV, roleName="Admin")
    assert reply["roleCredentials"]["expiration"] > 10**12
    portal.logout(accessToken=token)
    with refuses("UnauthorizedException"):
        portal.list_accounts(accessToken=token)
    other = machine.signed_in()["accessToken"]
    sandbox.world.advance(3601)
    with refuses("UnauthorizedException"):
        portal.list_accounts(accessToken=other)


def test_the_portal_holds_its_rate(
    machine: Machine, sandbox: Sandbox, client: Client, refuses: Refuses
) -> None:
    token = machine.signed_in()["accessToken"]
    sandbox.world.portal_rate = 2
    assert [sandbox.portal.refuses(at) for at in (10, 10, 10, 10.4, 10.6, 10.6)] == [
        *(False, False, True),
        *(True, False, True),
    ]
    sandbox.world.portal_rate = 0.5
    with refuses("TooManyRequestsException", status=429):
        client("sso").list_accounts(accessToken=token)
