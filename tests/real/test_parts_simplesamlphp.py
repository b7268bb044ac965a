"""SimpleSAMLphp as the tests start it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree
from signxml.exceptions import InvalidSignature

from tests.real.parts import certificate, simplesamlphp
from tests.real.parts.aws import ACS, ADMIN, READ_ONLY
from tests.real.parts.simplesamlphp import Person, SimpleSamlPhp
from tests.real.parts.visitor import Visitor, attribute, verified


def sign_in(idp: SimpleSamlPhp, name: str) -> Visitor:
    visitor = Visitor(idp.url)
    visitor.submit("form[name=f]", username=name, password=idp.people[name].password)
    return visitor


def test_a_sign_in_ends_with_a_signed_assertion(tmp_path: Path) -> None:
    people = {
        "ann": Person("hunter2:ä", (ADMIN,), session_name="ann@corp.example", duration=7200),
        "ben": Person("swordfish", (ADMIN, READ_ONLY)),
    }
    with simplesamlphp.running(tmp_path, people) as idp:
        ann, ben = sign_in(idp, "ann"), sign_in(idp, "ben")
    assert ann.destination() == ACS
    assertion = verified(ann.saml_response(), idp.certificate_pem)
    assert attribute(assertion, "Role") == [ADMIN]
    assert attribute(assertion, "RoleSessionName") == ["ann@corp.example"]
    assert attribute(assertion, "SessionDuration") == ["7200"]
    assert idp.entity_id in etree.tostring(assertion, encoding="unicode")
    assert attribute(verified(ben.saml_response(), idp.certificate_pem), "Role") == [
        ADMIN,
        READ_ONLY,
    ]
    with pytest.raises(InvalidSignature):
        verified(ann.saml_response(), certificate.write(tmp_path, "stranger").certificate_pem)


def test_a_wrong_password_brings_the_form_again(tmp_path: Path) -> None:
    with simplesamlphp.running(tmp_path, {"ann": Person("hunter2", (ADMIN,))}) as idp:
        visitor = Visitor(idp.url)
        visitor.submit("form[name=f]", username="ann", password="hunter3")
    assert "Incorrect username or password" in visitor.text
    assert visitor.page.select_one("form[name=f] input[name=password]")


def test_an_encrypted_assertion_shows_no_role(tmp_path: Path) -> None:
    acs = "https://eu-west-1.signin.aws.amazon.com/saml"
    people = {"ann": Person("hunter2", (ADMIN,))}
    with simplesamlphp.running(tmp_path, people, acs=acs, encrypted=True) as idp:
        visitor = sign_in(idp, "ann")
    assert visitor.destination() == acs
    response = etree.tostring(visitor.saml_response(), encoding="unicode")
    assert "EncryptedAssertion" in response
    assert "role/Admin" not in response
