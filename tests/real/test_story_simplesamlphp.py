"""`awslogin prod` at a real SimpleSAMLphp, its assertion judged by the strict STS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.configs import config
from tests.real.parts import simplesamlphp
from tests.real.parts.simplesamlphp import Person, SimpleSamlPhp
from tests.sandbox import PROD, Sandbox
from tests.support import Home

PROVIDER = f"arn:aws:iam::{PROD}:saml-provider/ssp"
ADMIN, READ = (f"arn:aws:iam::{PROD}:role/{name}" for name in ("Admin", "ReadOnly"))
PEOPLE = {
    "ann": Person("hunter2 & <ä>", (f"{ADMIN},{PROVIDER}", f"{PROVIDER}, {READ} "), "ann@corp"),
    "cleo": Person("only one", (f"{READ},{PROVIDER}",), "cleo", duration=1800),
}


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleSamlPhp]:
    with simplesamlphp.running(tmp_path_factory.mktemp("ssp"), PEOPLE) as running:
        yield running


@pytest.fixture(params=["form", "simplesamlphp", "auto"])
def team(
    request: pytest.FixtureRequest, signed_up: Home, sandbox: Sandbox, idp: SimpleSamlPhp
) -> Home:
    sandbox.register_saml(PROVIDER, idp.entity_id, idp.certificate_pem)
    for role in (ADMIN, READ):
        sandbox.world.roles[role].trusts += (PROVIDER,)
    kind = f'type: saml, idp: {request.param}, url: "{idp.url}"'
    signed_up.config(
        config(
            providers={"ann": f"{kind}, username: ann", "cleo": f"{kind}, username: cleo"},
            prod=f'provider: ann, account: "{PROD}", role: Admin',
            read=f'provider: ann, role_arn: "{READ}"',
            only="provider: cleo",
            lost=f'provider: cleo, account: "{PROD}", role: Admin',
        )
    )
    for name, person in PEOPLE.items():
        signed_up.environ[f"AWSLOGIN_PASSWORD_{name.upper()}"] = person.password
    return signed_up


def test_sign_in(team: Home, sandbox: Sandbox) -> None:
    session = team.run("prod", "--output", "json").ok().json
    assert session["arn"] == f"arn:aws:sts::{PROD}:assumed-role/Admin/ann@corp"
    team.run("read").ok()
    assert team.holds_in_plain([*sandbox.secrets(), PEOPLE["ann"].password]) == []


def test_the_only_role_and_its_duration(team: Home, sandbox: Sandbox) -> None:
    team.run("only").ok()
    assert sandbox.world.granted[-1]["seconds"] == 1800
    assert team.run("lost", "--output", "json").error["exit"] == 8


def test_a_wrong_password(team: Home) -> None:
    env = {"AWSLOGIN_PASSWORD_ANN": "not this one"}
    error = team.run("prod", "--output", "json", env=env).error
    assert error["exit"] == 3
    assert "Incorrect username or password" in error["message"]


def test_an_encrypted_assertion(signed_up: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    with simplesamlphp.running(tmp_path / "ssp", PEOPLE, encrypted=True) as idp:
        sandbox.register_saml(PROVIDER, idp.entity_id, idp.certificate_pem, idp.decryption_key)
        sandbox.world.roles[READ].trusts += (PROVIDER,)
        provider = f'type: saml, idp: form, url: "{idp.url}", username: cleo'
        signed_up.environ["AWSLOGIN_PASSWORD"] = PEOPLE["cleo"].password
        signed_up.config(
            config(
                providers={
                    "bare": provider,
                    "told": f'{provider}, saml_provider_arn: "{PROVIDER}"',
                },
                bare=f'provider: bare, role_arn: "{READ}"',
                told=f'provider: told, role_arn: "{READ}"',
            )
        )
        assert "saml_provider_arn" in signed_up.run("bare", "--output", "json").error["hint"]
        session = signed_up.run("told", "--output", "json").ok().json
    assert session["arn"].endswith("/cleo")
