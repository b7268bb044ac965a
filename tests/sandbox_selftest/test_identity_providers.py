"""The twins of Okta, Entra ID and OneLogin refuse what the services refuse."""

from __future__ import annotations

import json
import re
from typing import Any

import requests

from tests.sandbox import Sandbox
from tests.sandbox.entra import START, TENANT
from tests.sandbox.okta import APP, APP_ID, CLIENT_ID
from tests.sandbox.onelogin import APP_ID as ONE_APP
from tests.sandbox.onelogin import CLIENT_ID as ONE_CLIENT
from tests.sandbox.onelogin import CLIENT_SECRET, SUBDOMAIN
from tests.support import PATIENCE

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def authn(sandbox: Sandbox, path: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
    address = f"{sandbox.okta.url}/api/v1/authn{path}"
    reply = requests.post(address, json=body, timeout=PATIENCE)
    return reply.status_code, reply.json()


def begin(sandbox: Sandbox) -> dict[str, Any]:
    password = sandbox.world.people["otto"].password
    return authn(sandbox, username="otto", password=password)[1]


def test_okta_takes_a_state_token_once(sandbox: Sandbox) -> None:
    sandbox.okta.factors["otto"] = ["push"]
    token = begin(sandbox)["stateToken"]
    assert authn(sandbox, "/factors/f0/verify", stateToken=token)[0] == 200
    assert authn(sandbox, "/factors/f0/verify", stateToken=token)[1]["errorCode"] == "E0000011"


def test_okta_locks_after_three_wrong_codes(sandbox: Sandbox) -> None:
    sandbox.okta.factors["otto"] = ["token:software:totp"]
    token = begin(sandbox)["stateToken"]
    codes = [
        authn(sandbox, "/factors/f0/verify", stateToken=token, passCode="000000")[1]["errorCode"]
        for _ in range(3)
    ]
    assert codes == ["E0000068"] * 3
    right = sandbox.world.people["otto"].totp
    assert right
    code = right.code(sandbox.world.now())
    last = authn(sandbox, "/factors/f0/verify", stateToken=token, passCode=code)
    assert last[1]["errorCode"] == "E0000069"


def test_okta_takes_a_session_token_once_and_leads_nowhere_else(sandbox: Sandbox) -> None:
    token = begin(sandbox)["sessionToken"]
    address = f"{sandbox.okta.url}/login/sessionCookieRedirect"
    query = {"checkAccountSetupComplete": "true", "token": token}
    for target, status in ((sandbox.okta.url + APP, 302), (sandbox.okta.url + APP, 403)):
        given = {**query, "redirectUrl": target}
        reply = requests.get(address, params=given, timeout=PATIENCE, allow_redirects=False)
        assert reply.status_code == status
    given = {**query, "token": begin(sandbox)["sessionToken"], "redirectUrl": "https://x.example"}
    assert requests.get(address, params=given, timeout=PATIENCE).status_code == 403


def test_okta_exchanges_only_tokens_that_it_gave(sandbox: Sandbox) -> None:
    form = {
        "client_id": CLIENT_ID,
        "grant_type": EXCHANGE,
        "audience": f"urn:okta:apps:{APP_ID}",
        "actor_token": "x",
        "actor_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": "x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "requested_token_type": "urn:okta:oauth:token-type:web_sso_token",
    }
    reply = requests.post(f"{sandbox.okta.url}/oauth2/v1/token", data=form, timeout=PATIENCE)
    assert reply.json()["error"] == "invalid_grant"


def config_of(reply: requests.Response) -> dict[str, Any]:
    found = re.search(r"\$Config=", reply.text)
    assert found
    config: dict[str, Any] = json.JSONDecoder().raw_decode(reply.text, found.end())[0]
    return config


def test_entra_demands_each_token_back_and_takes_it_once(sandbox: Sandbox) -> None:
    password = sandbox.world.people["ann"].password
    for left_out in ("", "flowToken", "canary", "hpgrequestid", "ctx"):
        start = requests.get(f"{sandbox.entra.url}{START}", timeout=PATIENCE)
        page = config_of(start)
        fields = {
            "flowToken": page["sFT"],
            "canary": page["canary"],
            "hpgrequestid": page["sessionId"],
            "ctx": page["sCtx"],
            "login": "ann",
            "loginfmt": "ann",
            "passwd": password,
        }
        fields.pop(left_out, None)
        cookies = {"buid": start.cookies["buid"]}  # by hand: the twin marks it Secure
        address = f"{sandbox.entra.url}{page['urlPost']}"
        pages = [
            config_of(requests.post(address, data=fields, cookies=cookies, timeout=PATIENCE))
            for _ in range(2)
        ]
        first = "ConvergedError" if left_out else "KmsiInterrupt"
        assert [page["pgid"] for page in pages] == [first, "ConvergedError"], left_out


def test_entra_wants_the_pages_headers(sandbox: Sandbox) -> None:
    first = requests.get(f"{sandbox.entra.url}{START}", timeout=PATIENCE)
    page = config_of(first)
    body = {"username": "ann", "flowToken": page["sFT"], "originalRequest": page["sCtx"]}
    address = f"{sandbox.entra.url}{page['urlGetCredentialType']}"
    cookies = {"buid": first.cookies["buid"]}
    assert requests.post(address, json=body, cookies=cookies, timeout=PATIENCE).status_code == 400


def test_entra_refuses_a_request_id_that_it_knows(sandbox: Sandbox) -> None:
    address = f"{sandbox.entra.url}/{TENANT}/saml2"
    query = {"SAMLRequest": sandbox.entra._request()}
    pages = [
        config_of(requests.get(address, params=query, timeout=PATIENCE))["pgid"] for _ in range(2)
    ]
    assert pages == ["ConvergedSignIn", "ConvergedError"]


def test_onelogin_wants_its_client_and_takes_a_state_token_once(sandbox: Sandbox) -> None:
    url = sandbox.onelogin.url
    grant = {"grant_type": "client_credentials"}
    token_address = f"{url}/auth/oauth2/v2/token"
    wrong = requests.post(token_address, json=grant, auth=(ONE_CLIENT, "x"), timeout=PATIENCE)
    assert wrong.status_code == 401
    right = requests.post(
        token_address, json=grant, auth=(ONE_CLIENT, CLIENT_SECRET), timeout=PATIENCE
    )
    headers = {"Authorization": f"bearer:{right.json()['access_token']}"}
    sandbox.onelogin.devices["ann"] = ["OneLogin Protect"]
    body = {
        "username_or_email": "ann",
        "password": sandbox.world.people["ann"].password,
        "app_id": ONE_APP,
        "subdomain": SUBDOMAIN,
    }
    address = f"{url}/api/2/saml_assertion"
    assert requests.post(address, json=body, timeout=PATIENCE).status_code == 401
    state = requests.post(address, json=body, headers=headers, timeout=PATIENCE).json()[
        "state_token"
    ]
    verify = {"app_id": ONE_APP, "device_id": "666666", "state_token": state}
    statuses = [
        requests.post(f"{address}/verify_factor", json=verify, headers=headers, timeout=PATIENCE)
        for _ in range(2)
    ]
    assert [reply.status_code for reply in statuses] == [200, 401]
