"""`trust-policy`: what a role's trust must say, by the kind of sign-in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.configs import config
from tests.sandbox import DEV, Sandbox
from tests.support import Home

ROLE = f"arn:aws:iam::{DEV}:role/Deploy"
GITHUB = "token.actions.githubusercontent.com"
SAML = f"arn:aws:iam::{DEV}:saml-provider/corp"


@pytest.fixture
def team(home: Home) -> Home:
    saml = "type: saml, idp: form, url: https://sso.corp.example/"
    home.config(
        config(
            providers={
                "ci": "type: web-identity, token: github",
                "lab": "type: web-identity, token: gitlab, audience: https://gitlab.corp.example",
                "token": "type: web-identity, token: {env: T}",
                "sso": f'{saml}, saml_provider_arn: "{SAML}"',
                "nameless": saml,
                "keys": "type: static",
                "center": "type: identity-center, start_url: https://c.awsapps.com/start,"
                " region: eu-west-1",
            },
            github=f'provider: ci, role_arn: "{ROLE}"',
            gitlab=f'provider: lab, role_arn: "{ROLE}"',
            token=f'provider: token, role_arn: "{ROLE}"',
            both=f'provider: [ci, sso], role_arn: "{ROLE}"',
            china='provider: nameless, role_arn: "arn:aws-cn:iam::111122223333:role/Deploy"',
            mfa=f'provider: keys, role_arn: "{ROLE}",'
            f' mfa_serial: "arn:aws:iam::444455556666:mfa/ann", external_id: "4711"',
            bare="provider: keys",
            stage='provider: center, account: "444455556666", role: Developer',
            chained=f'source: stage, role_arn: "{ROLE}", session_tags: {{a: b}}',
        )
    )
    return home


def statements(home: Home, *words: str, **env: str) -> list[dict[str, Any]]:
    policy = json.loads(home.run("trust-policy", *words, env=env).ok().out)
    assert policy["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = policy["Statement"]
    return found


def test_githubs_old_and_new_subjects(team: Home) -> None:
    words = ("github", "--repository", "acme/app", "--repository-id", "22", "--owner-id", "1")
    (statement,) = statements(team, *words)
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{DEV}:oidc-provider/{GITHUB}"},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": {
            "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
            "StringLike": {f"{GITHUB}:sub": ["repo:acme/app:*", "repo:acme@1/app@22:*"]},
        },
    }
    job = {
        "GITHUB_REPOSITORY": "acme/app",
        "GITHUB_REPOSITORY_ID": "22",
        "GITHUB_REPOSITORY_OWNER_ID": "1",
    }
    assert statements(team, "github", **job) == [statement]


def test_without_ids_the_old_form_alone_is_said(team: Home) -> None:
    done = team.run("trust-policy", "github", "--repository", "acme/app").ok()
    condition = json.loads(done.out)["Statement"][0]["Condition"]
    assert condition["StringLike"] == {f"{GITHUB}:sub": "repo:acme/app:*"}
    assert "--repository-id" in done.err
    for repository in ((), ("--repository", "acme"), ("--repository", "acme/*")):
        failed = team.run("trust-policy", "github", *repository)
        assert (failed.code, failed.out) == (2, "")
        assert "--repository OWNER/NAME" in failed.err


def test_gitlab(team: Home) -> None:
    (statement,) = statements(team, "gitlab", CI_PROJECT_PATH="group/sub/app")
    assert statement["Condition"] == {
        "StringEquals": {"gitlab.com:aud": "https://gitlab.corp.example"},
        "StringLike": {"gitlab.com:sub": "project_path:group/sub/app:*"},
    }


def test_a_token_that_lies_here_says_its_own(team: Home, sandbox: Sandbox) -> None:
    (statement,) = statements(team, "token", T=sandbox.issuer.token(sub="repo:acme/app:x"))
    assert "repo:acme/app:x" in json.dumps(statement["Condition"])
    assert team.run("trust-policy", "token").code == 2


def test_each_provider_of_a_list_is_trusted(team: Home) -> None:
    job, saml = statements(team, "both", "--repository", "acme/app")
    assert job["Action"] == ["sts:AssumeRoleWithWebIdentity"]
    assert saml["Principal"] == {"Federated": SAML}
    assert saml["Condition"] == {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}


def test_saml_in_another_partition_without_its_providers_name(team: Home) -> None:
    done = team.run("trust-policy", "china").ok()
    (statement,) = json.loads(done.out)["Statement"]
    assert statement["Principal"]["Federated"].startswith("arn:aws-cn:iam::111122223333:saml-")
    assert "https://signin.amazonaws.cn/saml" in json.dumps(statement)
    assert "saml_provider_arn" in done.err


def test_a_users_keys_with_mfa(team: Home) -> None:
    (statement,) = statements(team, "mfa")
    assert statement["Principal"] == {"AWS": "arn:aws:iam::444455556666:root"}
    assert statement["Condition"] == {
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "StringEquals": {"sts:ExternalId": "4711"},
    }


def test_a_chain_from_a_permission_set(team: Home) -> None:
    (statement,) = statements(team, "chained")
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert "*AWSReservedSSO_Developer_*" in json.dumps(statement["Condition"])


@pytest.mark.parametrize("profile", ["bare", "stage"])
def test_what_has_no_trust_policy_of_ours(team: Home, profile: str) -> None:
    failed = team.run("trust-policy", profile)
    assert (failed.code, failed.out) == (2, "")
