"""Signing in at a real Keycloak by its pages, its assertion judged by the strict STS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyotp
import pytest

from broker.errors import InteractionRequired, LoginRefused, RoleRefused, UnexpectedReply
from broker.testing import MemoryKeychain
from tests.configs import config
from tests.providers.saml.walks import ANYTHING, TOTP, Walk
from tests.real.parts.aws import ADMIN, READ_ONLY
from tests.real.parts.keycloak import Keycloak
from tests.real.parts.keycloak_realm import Person
from tests.sandbox import Sandbox
from tests.sandbox.soft_key import SoftKey
from tests.support import Home

KINDS = pytest.mark.parametrize("idp", ["keycloak", "auto", "form"])


@pytest.fixture
def trusting(sandbox: Sandbox, keycloak: Keycloak) -> Sandbox:
    """A sandbox whose roles trust this Keycloak."""
    for pair in (ADMIN, READ_ONLY):
        role, provider = pair.split(",")
        sandbox.register_saml(provider, keycloak.entity_id, keycloak.certificate_pem())
        sandbox.world.add_role(role, provider, longest=7200)
    return sandbox


def walk(sandbox: Sandbox, keycloak: Keycloak, person: Person, **more: Any) -> Walk:
    more = {"idp": "keycloak", "password": person.password} | more
    return Walk(sandbox, url=keycloak.url, user=person.name, **more)


def seeded(person: Person, device: int = 0) -> MemoryKeychain:
    return MemoryKeychain({TOTP + person.name: person.totp[device]})


@KINDS
def test_a_password(trusting: Sandbox, keycloak: Keycloak, idp: str) -> None:
    ann = keycloak.people["ann"]
    assert walk(trusting, keycloak, ann, idp=idp).arn(ANYTHING).endswith("/ann")


@pytest.mark.parametrize(
    ("name", "password", "words"),
    [
        ("ann", "not this one", "Invalid username or password."),
        ("dora", None, "Account is disabled"),
        ("uma", None, "change your password"),
        ("conrad", None, "wants an authenticator set up"),
    ],
)
def test_refusals(
    trusting: Sandbox, keycloak: Keycloak, name: str, password: str | None, words: str
) -> None:
    person = keycloak.people[name]
    with pytest.raises(LoginRefused, match=words):
        walk(trusting, keycloak, person, password=password or person.password).arn(ANYTHING)


@pytest.mark.parametrize("name", ["wanda", "xenia"])
def test_a_security_key_without_a_browser(trusting: Sandbox, keycloak: Keycloak, name: str) -> None:
    person = keycloak.add(keycloak.people[name])  # a key counts how often it was used
    assert person.passkey
    key = SoftKey()
    key.hold("127.0.0.1", person.passkey.number.to_bytes(16), person.passkey.key())
    signing = walk(trusting, keycloak, person, key=key, answers=[])
    assert signing.arn(ANYTHING).endswith(person.name)
    assert key.asked_for == ["127.0.0.1"]


def test_a_security_key_that_signs_for_another_person(
    trusting: Sandbox, keycloak: Keycloak
) -> None:
    wanda, other = (keycloak.add(keycloak.people[name]) for name in ("wanda", "xenia"))
    assert wanda.passkey
    assert other.passkey
    key = SoftKey()
    key.hold("127.0.0.1", wanda.passkey.number.to_bytes(16), other.passkey.key())
    with pytest.raises((LoginRefused, UnexpectedReply)):
        walk(trusting, keycloak, wanda, key=key, answers=[]).arn(ANYTHING)


@KINDS
def test_codes_of_a_seed_are_sent_once(trusting: Sandbox, keycloak: Keycloak, idp: str) -> None:
    otto = keycloak.add(keycloak.people["otto"])
    signing = walk(trusting, keycloak, otto, idp=idp, keychain=seeded(otto))
    assert signing.arn(ANYTHING).endswith(otto.name)
    signing.provider.logout()
    code = pyotp.TOTP(otto.totp[0]).at(signing.clock.now())
    with pytest.raises(LoginRefused, match="Invalid authenticator code"):
        walk(trusting, keycloak, otto, code=code).arn(ANYTHING)
    assert not signing.clock.slept


def test_a_wrong_code(trusting: Sandbox, keycloak: Keycloak) -> None:
    otto = keycloak.add(keycloak.people["otto"])
    with pytest.raises(LoginRefused, match="Invalid authenticator code"):
        walk(trusting, keycloak, otto, code="000000").arn(ANYTHING)


def test_a_person_corrects_a_code(trusting: Sandbox, keycloak: Keycloak) -> None:
    otto = keycloak.add(keycloak.people["otto"])
    answers = ["000000", pyotp.TOTP(otto.totp[0]).now()]
    assert walk(trusting, keycloak, otto, answers=answers).arn(ANYTHING).endswith(otto.name)


@pytest.mark.parametrize(("mfa", "answers"), [("device 2", None), (None, ["device 2"])])
def test_two_devices(
    trusting: Sandbox, keycloak: Keycloak, mfa: str | None, answers: list[str] | None
) -> None:
    petra = keycloak.add(keycloak.people["petra"])
    signing = walk(
        trusting, keycloak, petra, mfa=mfa, answers=answers, keychain=seeded(petra, device=1)
    )
    assert signing.arn(ANYTHING).endswith(petra.name)


def test_two_devices_and_nobody_to_choose(trusting: Sandbox, keycloak: Keycloak) -> None:
    petra = keycloak.people["petra"]
    with pytest.raises(InteractionRequired, match="device 1, device 2"):
        walk(trusting, keycloak, petra, keychain=seeded(petra)).arn(ANYTHING)


def test_a_security_key_needs_a_browser(trusting: Sandbox, keycloak: Keycloak) -> None:
    with pytest.raises(UnexpectedReply, match="security key") as needed:
        walk(trusting, keycloak, keycloak.people["wanda"]).arn(ANYTHING)
    assert "idp: browser" in needed.value.hint
    assert "login-webauthn-authenticate" in needed.value.message


def test_a_code_instead_of_a_security_key(trusting: Sandbox, keycloak: Keycloak) -> None:
    xenia = keycloak.add(keycloak.people["xenia"])
    signing = walk(trusting, keycloak, xenia, keychain=seeded(xenia))
    assert signing.arn(ANYTHING).endswith(xenia.name)


def test_no_roles(trusting: Sandbox, keycloak: Keycloak) -> None:
    with pytest.raises(RoleRefused, match="none at all"):
        walk(trusting, keycloak, keycloak.people["nora"]).arn(ANYTHING)


def test_a_masked_page_through_the_command(
    trusting: Sandbox, keycloak: Keycloak, signed_up: Home, tmp_path: Path
) -> None:
    wanda = keycloak.people["wanda"]
    kc = f'type: saml, idp: keycloak, url: "{keycloak.url}", username: wanda'
    signed_up.config(config(providers={"kc": kc}, p="provider: kc"))
    page = tmp_path / "page.html"
    done = signed_up.run(
        "p", "--output", "json", "--debug-page", str(page),
        env={"AWSLOGIN_PASSWORD": wanda.password},
    )  # fmt: skip
    assert done.error["exit"] == 6
    text = page.read_text()
    assert 'id="webauth"' in text
    assert wanda.password not in text
    assert "wanda" not in text
    assert "session_code=********" in text
