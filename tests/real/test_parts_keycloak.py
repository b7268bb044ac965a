"""Keycloak as the tests start it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyotp
import pytest
import requests
from lxml import etree

from tests.real.parts import keycloak as part
from tests.real.parts import keycloak_realm as realm
from tests.real.parts.aws import ACS, ADMIN, READ_ONLY, TOKEN_AUDIENCE
from tests.real.parts.keycloak import Keycloak
from tests.real.parts.keycloak_realm import Person
from tests.real.parts.visitor import Visitor, attribute, verified
from tests.support import PATIENCE

PASSWORD, CODE = "#kc-form-login", "#kc-otp-login-form"


def enter_password(keycloak: Keycloak, person: Person) -> Visitor:
    visitor = Visitor(keycloak.url)
    visitor.submit(PASSWORD, username=person.name, password=person.password)
    return visitor


def page(visitor: Visitor) -> str:
    body = visitor.page.body
    assert body is not None
    return str(body.get("data-page-id"))


def test_a_password_ends_with_a_signed_assertion(keycloak: Keycloak) -> None:
    visitor = enter_password(keycloak, keycloak.people["ben"])
    assert visitor.destination() == ACS
    assertion = verified(visitor.saml_response(), keycloak.certificate_pem())
    assert sorted(attribute(assertion, "Role")) == [ADMIN, READ_ONLY]
    assert attribute(assertion, "RoleSessionName") == ["ben"]
    assert attribute(assertion, "SessionDuration") == [str(realm.DURATION)]
    assert f">{keycloak.entity_id}<" in etree.tostring(assertion, encoding="unicode")


def test_a_one_time_code_is_good_once(keycloak: Keycloak) -> None:
    otto = keycloak.add(keycloak.people["otto"])
    code = pyotp.TOTP(otto.totp[0]).now()
    visitor = enter_password(keycloak, otto)
    assert page(visitor) == "login-login-otp"
    visitor.submit(CODE, otp=f"{(int(code) + 1) % 1000000:06}")
    assert "Invalid authenticator code." in visitor.text
    visitor.submit(CODE, otp=code)
    assertion = verified(visitor.saml_response(), keycloak.certificate_pem())
    assert attribute(assertion, "Role") == [ADMIN]
    again = enter_password(keycloak, otto)
    again.submit(CODE, otp=code)
    assert "Invalid authenticator code." in again.text


def test_two_devices_are_tiles(keycloak: Keycloak) -> None:
    petra = keycloak.add(keycloak.people["petra"])
    visitor = enter_password(keycloak, petra)
    tiles = visitor.page.select("[id^=kc-otp-credential-][onclick]")
    assert len(tiles) == 2
    second = str(tiles[1]["onclick"]).split("'")
    chosen = next(word for word in second if len(word) == 36)
    visitor.submit(CODE, otp=pyotp.TOTP(petra.totp[1]).now(), selectedCredentialId=chosen)
    assert visitor.destination() == ACS


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("nora", "login-saml-post-form"),
        ("wanda", "login-webauthn-authenticate"),
        ("xenia", "login-webauthn-authenticate"),
        ("uma", "login-login-update-password"),
        ("conrad", "login-login-config-totp"),
        ("dora", "login-login"),
    ],
)
def test_where_a_password_leads(keycloak: Keycloak, name: str, where: str) -> None:
    assert page(enter_password(keycloak, keycloak.people[name])) == where


def test_refusals_say_why(keycloak: Keycloak) -> None:
    ann = enter_password(keycloak, Person("ann", "hunter3"))
    assert "Invalid username or password." in ann.text
    dora = enter_password(keycloak, keycloak.people["dora"])
    assert "Account is disabled" in dora.text


def test_a_job_gets_a_token_for_sts(keycloak: Keycloak) -> None:
    header, claims, _ = keycloak.job_token().split(".")
    kid, said = decoded(header)["kid"], decoded(claims)
    assert kid in {key["kid"] for key in keycloak.jwks()["keys"]}
    assert TOKEN_AUDIENCE in said["aud"]
    assert said["iss"] == keycloak.entity_id


def test_a_device_flow_waits_for_a_person(keycloak: Keycloak) -> None:
    client = {"client_id": realm.DEVICE_CLIENT, "scope": "openid"}
    asked = requests.post(keycloak.device_authorization_url, data=client, timeout=PATIENCE).json()
    assert asked["interval"] == 5
    polled = requests.post(
        keycloak.token_url,
        data=client
        | {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": asked["device_code"],
        },
        timeout=PATIENCE,
    )
    assert polled.json()["error"] == "authorization_pending"
    person = Visitor(asked["verification_uri_complete"])
    person.submit(PASSWORD, username="ann", password=keycloak.people["ann"].password)
    assert page(person) == "login-login-oauth-grant"


def test_all_share_one_server(keycloak: Keycloak) -> None:
    with part.running() as same:
        assert same == keycloak


def decoded(part_of_token: str) -> dict[str, Any]:
    padded = part_of_token + "=" * (-len(part_of_token) % 4)
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(padded))
    return document
