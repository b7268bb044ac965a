"""The twins whose pages are scripts refuse what the real ones refuse."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.sandbox import Sandbox, akamai, auth0, authentik, okta_idx, pingone
from tests.sandbox.okta import APP
from tests.sandbox.relying_party import RelyingParty, encoded
from tests.sandbox.soft_key import SoftKey
from tests.sandbox.twin import Habits
from tests.support import PATIENCE


class Client(requests.Session):
    """A browser that follows no redirect by itself."""

    def request(self, method: Any, url: Any, *args: Any, **more: Any) -> requests.Response:
        more |= {"timeout": PATIENCE, "allow_redirects": False}
        return super().request(method, url, *args, **more)


@pytest.fixture
def browser() -> Client:
    return Client()


def code(sandbox: Sandbox) -> str:
    totp = sandbox.world.people["otto"].totp
    assert totp
    return totp.code(sandbox.world.now())


def password(sandbox: Sandbox, name: str = "otto") -> str:
    return sandbox.world.people[name].password


def test_jumpcloud(sandbox: Sandbox, browser: Client) -> None:
    sandbox.jumpcloud.habits["otto"] = Habits("totp,push")
    console = f"{sandbox.urls['jumpcloud']}/userconsole"
    token = browser.get(f"{console}/xsrf").json()["xsrf"]
    body = {"Context": "sso", "RedirectTo": "saml2/aws", "Email": "otto"}
    body |= {"Password": password(sandbox), "OTP": ""}
    headers = {"X-Xsrftoken": token}
    assert browser.post(f"{console}/auth", json=body).status_code == 403
    assert Client().post(f"{console}/auth", json=body, headers=headers).status_code == 302
    asked = browser.post(f"{console}/auth", json=body, headers=headers)
    assert (asked.status_code, asked.json()["message"]) == (401, "MFA required.")
    right = body | {"OTP": code(sandbox)}
    wrong = body | {"OTP": "000000"}
    assert browser.post(f"{console}/auth", json=wrong, headers=headers).status_code == 401
    assert browser.post(f"{console}/auth", json=right, headers=headers).status_code == 200
    again = browser.post(f"{console}/auth", json=right, headers=headers)
    assert again.status_code == 401  # a code is good once
    push = browser.post(f"{console}/auth/push", json={}, headers=headers).json()["id"]
    early = browser.post(f"{console}/auth/push/{push}/login", json={}, headers=headers)
    assert early.status_code == 401  # not accepted yet
    assert browser.get(f"{sandbox.jumpcloud.url}?ticket=x").status_code == 403


def test_authentik(sandbox: Sandbox, browser: Client) -> None:
    browser.get(sandbox.authentik.url)
    query = {"query": f"next={authentik.APP}"}
    flow = f"{sandbox.urls['authentik']}/api/v3/flows/executor/{authentik.SLUG}/"
    assert browser.get(flow, params={"query": ""}).status_code == 400
    assert browser.get(flow, params=query).json()["component"] == "ak-stage-identification"
    skipped = {"component": "ak-stage-password", "password": password(sandbox, "ann")}
    assert browser.post(flow, params=query, json=skipped).status_code == 400
    named = {"component": "ak-stage-identification", "uid_field": "ann"}
    assert browser.post(flow, params=query, json=named).status_code == 302
    assert Client().post(flow, params=query, json=skipped).status_code == 400  # another browser
    wrong = skipped | {"password": "no"}
    errors = browser.post(flow, params=query, json=wrong).json()["response_errors"]
    assert errors["password"][0]["string"] == "Invalid password"
    browser.post(flow, params=query, json=wrong)
    last = browser.post(flow, params=query, json=wrong).json()
    assert last["component"] == "ak-stage-access-denied"
    assert browser.post(flow, params=query, json=skipped).status_code == 400


def test_auth0_classic(sandbox: Sandbox, browser: Client) -> None:
    origin = sandbox.urls["auth0"]
    page = browser.get(sandbox.auth0.url).text
    packed = re.search(r"atob\('([^']+)'\)", page)
    assert packed
    settings = json.loads(base64.b64decode(packed[1]))
    known = settings["extraParams"]
    body = dict.fromkeys(auth0._FIELDS, "")
    body |= {name: known[name] for name in ("state", "_csrf")}
    body |= {"client_id": auth0.CLIENT, "connection": sandbox.auth0.connections[0]}
    body |= {"username": "ann", "password": password(sandbox, "ann")}
    headers = {"Origin": origin, "Auth0-Client": "x"}
    login = f"{origin}/usernamepassword/login"
    assert browser.post(login, json=body).status_code == 400  # no headers of the script
    spoilt = body | {"_csrf": "x"}
    assert browser.post(login, json=spoilt, headers=headers).status_code == 403
    assert browser.post(login, json=body, headers=headers).status_code == 403  # state is used
    assert browser.post(f"{origin}/login/callback", data={"wresult": "x"}).status_code == 400


def test_auth0_universal(sandbox: Sandbox, browser: Client) -> None:
    sandbox.auth0.universal = True
    where = sandbox.urls["auth0"] + browser.get(sandbox.auth0.url).headers["Location"]
    state = where.partition("state=")[2]
    fields = {"state": state, "username": "ann", "password": "no", "action": "default"}
    assert browser.post(where, data=fields | {"state": "x"}).status_code == 400
    assert browser.post(where, data=fields).status_code == 400  # a wrong password
    right = fields | {"password": password(sandbox, "ann")}
    assert browser.post(where, data=right).status_code == 400  # its state is used


def test_pingone(sandbox: Sandbox, browser: Client) -> None:
    sandbox.pingone.habits["otto"] = Habits("TOTP")
    location = browser.get(sandbox.pingone.url).headers["Location"]
    flow = location.partition("flowId=")[2]
    address = f"{sandbox.urls['pingone']}/{pingone.ENVIRONMENT}/flows/{flow}"
    resume = f"{sandbox.urls['pingone']}/{pingone.ENVIRONMENT}/saml20/resume?flowId={flow}"
    body = json.dumps({"username": "otto", "password": password(sandbox)})
    check = {"Content-Type": f"{pingone.MEDIA}usernamePassword.check+json"}
    plain = {"Content-Type": "application/json"}
    assert browser.post(address, data=body, headers=plain).status_code == 400
    assert Client().post(address, data=body, headers=check).status_code == 404  # another browser
    assert browser.post(address, data=body, headers=check).json()["status"] == "OTP_REQUIRED"
    assert browser.post(address, data=body, headers=check).status_code == 400  # not in this state
    otp = {"Content-Type": f"{pingone.MEDIA}otp.check+json"}
    wrong = browser.post(address, data='{"otp":"000000"}', headers=otp)
    assert wrong.json()["code"] == "INVALID_DATA"
    right = json.dumps({"otp": code(sandbox)})
    assert browser.post(address, data=right, headers=otp).json()["status"] == "COMPLETED"
    assert browser.get(resume).status_code == 200
    assert browser.get(resume).status_code == 400  # once


def test_akamai(sandbox: Sandbox, browser: Client) -> None:
    sandbox.akamai.habits["otto"] = Habits("totp")
    url = sandbox.urls["akamai"]
    found = re.search("id=xsrf value='([^']+)'", browser.get(url).text)
    assert found
    headers = {"xsrf": found[1]}
    navigate, app = f"{url}/api/v2/apps/navigate", {"hostname": akamai.HOSTNAME}
    body = {"username": "otto", "password": password(sandbox)}
    assert browser.post(f"{url}/api/v1/login", json=body).status_code == 403
    assert browser.post(navigate, json=app, headers=headers).json()["status"] == 401
    browser.post(f"{url}/api/v1/login", json=body, headers=headers)
    assert browser.post(navigate, json=app, headers=headers).json()["mfa"]["status"] == "verify"
    verify = f"{url}/api/v1/mfa/user/totp/token/verify"
    token = {"category": "totp", "uuid": akamai._UUID, "token": code(sandbox)}
    assert browser.post(verify, json=token, headers=headers).json()["status"] == 200
    assert browser.post(verify, json=token, headers=headers).json()["status"] == 400


def test_okta_idx(sandbox: Sandbox, browser: Client) -> None:
    okta = sandbox.okta
    okta.pipeline, okta.idx = "idx", okta_idx.OktaIdx(sandbox.world, okta.site, okta.url)
    headers = {"Content-Type": okta_idx.ION}
    found = re.search(r"stateToken = '([^']+)'", browser.get(okta.url + APP).text)
    assert found
    token = json.dumps({"stateToken": found[1].replace("\\x2D", "-")})
    introspect = f"{okta.url}/idp/idx/introspect"
    assert browser.post(introspect, data=token).status_code == 415
    started = browser.post(introspect, data=token, headers=headers)
    assert browser.post(introspect, data=token, headers=headers).status_code == 401  # once
    handle = started.json()["stateHandle"]
    answer = json.dumps({"stateHandle": handle, "credentials": {"passcode": "1"}})
    early = browser.post(f"{okta.url}/idp/idx/challenge/answer", data=answer, headers=headers)
    assert early.status_code == 400
    given = {"identifier": "ann", "credentials": {"passcode": password(sandbox, "ann")}}
    body = json.dumps({"stateHandle": handle} | given)
    identify = f"{okta.url}/idp/idx/identify"
    href = browser.post(identify, data=body, headers=headers).json()["success"]["href"]
    assert browser.post(identify, data=body, headers=headers).status_code == 401  # it is over
    assert browser.get(href).status_code == 302
    assert browser.get(href).status_code == 403  # once


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({}, ""),
        ({"type": "webauthn.create"}, "type"),
        ({"challenge": "x"}, "challenge"),
        ({"origin": "https://evil.example"}, "origin"),
        ({"rp_id": "evil.example"}, "rp id"),
        ({"flags": 0}, "touched"),
        ({"flags": 1}, "verified"),
        ({"counter": 0}, "counter"),
        ({"key": "other"}, "signature"),
    ],
)
def test_a_relying_party_looks_at_everything(spoilt: dict[str, Any], why: str) -> None:
    party = RelyingParty("https://a.example", "a.example", "required")
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    party.register("ann", b"id", key.public_key())
    client = json.dumps(
        {
            "type": spoilt.get("type", "webauthn.get"),
            "challenge": spoilt.get("challenge", party.challenge("ann")),
            "origin": spoilt.get("origin", party.origin),
        }
    ).encode()
    rp_id = spoilt.get("rp_id", party.rp_id)
    numbers = struct.pack(">BI", spoilt.get("flags", 5), spoilt.get("counter", 1))
    data = hashlib.sha256(rp_id.encode()).digest() + numbers
    signer = other if "key" in spoilt else key
    signed = data + hashlib.sha256(client).digest()
    signature = signer.sign(signed, ec.ECDSA(hashes.SHA256()))
    said = party.why_not("ann", b"id", client, data, signature)
    assert (why in said) if why else said == ""
    if not why:
        assert party.why_not("ann", b"id", client, data, signature)  # a challenge is good once


def test_a_soft_key_knows_its_sites() -> None:
    key = SoftKey()
    first, _ = key.register("a.example")
    second, _ = key.register("b.example")
    assert first != second
    assert len(encoded(first)) == 43


def test_netiq_wants_its_order(sandbox: Sandbox, browser: Client) -> None:
    login = f"{sandbox.urls['netiq']}/nidp/app/login"
    fields = {"option": "credential", "Ecom_User_ID": "ann"}
    fields["Ecom_Password"] = password(sandbox, "ann")
    assert browser.post(login, data=fields).status_code == 400
    assert sandbox.netiq.seen.passwords == 0
