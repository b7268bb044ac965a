"""Web identity with tokens that a real OIDC provider has issued: Keycloak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.configs import config
from tests.real.parts.keycloak import Keycloak
from tests.sandbox import Sandbox
from tests.support import Home

ROLE = "arn:aws:iam::111122223333:role/Job"


@pytest.fixture
def job(signed_up: Home, sandbox: Sandbox, keycloak: Keycloak) -> Home:
    """A CI job of Keycloak's, at an AWS account that trusts it; its token lies in a file."""
    provider = "arn:aws:iam::111122223333:oidc-provider/keycloak"
    sandbox.register_oidc(provider, keycloak.entity_id, keycloak.jwks())
    sandbox.world.add_role(ROLE, provider)
    signed_up.environ["CI"] = "true"
    token_file(signed_up).write_text(keycloak.job_token())
    signed_up.config(
        config(
            providers={
                "file": f"type: web-identity, token: {{file: {token_file(signed_up)}}}",
                "variable": "type: web-identity, token: {env: JOB_TOKEN}, audience: "
                "sts.amazonaws.com",
            },
            profiles={
                "by-file": f'provider: file, role_arn: "{ROLE}"',
                "by-variable": f'provider: variable, role_arn: "{ROLE}"',
            },
        )
    )
    return signed_up


def token_file(home: Home) -> Path:
    return home.folder / "token"


def test_keycloaks_token_signs_in(job: Home, sandbox: Sandbox, keycloak: Keycloak) -> None:
    by_file = job.run("by-file", "--output", "json").ok().json
    env = {"JOB_TOKEN": keycloak.job_token()}
    by_variable = job.run("by-variable", "--output", "json", env=env).ok().json
    for session in (by_file, by_variable):
        assert session["arn"].startswith("arn:aws:sts::111122223333:assumed-role/Job/")
    assert by_file["access_key_id"] != by_variable["access_key_id"]


def test_the_file_is_read_anew(job: Home, sandbox: Sandbox, keycloak: Keycloak) -> None:
    tokens = [token_file(job).read_text(), keycloak.job_token()]
    job.run("by-file").ok()
    token_file(job).write_text(tokens[1] + "\n")
    job.run("by-file", "--force").ok()
    calls = sandbox.calls("sts", "AssumeRoleWithWebIdentity")
    assert [asked.form["WebIdentityToken"] for asked in calls] == tokens


def test_keycloaks_token_ends(job: Home, sandbox: Sandbox) -> None:
    sandbox.world.advance(24 * 3600)
    error = job.run("by-file", "--output", "json").error
    assert error["exit"] == 3
    assert "has ended" in error["hint"]


def test_a_changed_token_is_refused(job: Home, sandbox: Sandbox) -> None:
    head, body, signature = token_file(job).read_text().split(".")
    token_file(job).write_text(f"{head}.{body}.{signature[::-1]}")
    error = job.run("by-file", "--output", "json").error
    assert error["exit"] == 3
    assert "could not verify" in error["hint"]
