"""A key's life at moto's IAM: `rotate`, `migrate`, and long lists of policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from broker.migration.iam_questions import IamQuestions, Policy
from broker.ports.aws import Aws
from broker.provider import Credentials
from broker.secret import Secret
from tests.real.parts.moto import ACCOUNT, Moto
from tests.sandbox import Sandbox
from tests.support import Home
from tests.test_migrate_story import CONFIG, TO, migrate, text

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture
def iam(moto: Moto) -> Any:
    """IAM with nobody in it."""
    requests.post(f"{moto.url}/moto-api/reset", timeout=60).raise_for_status()
    client = moto.client("iam")
    client.create_user(UserName="bob")
    client.create_role(RoleName="CiDeploy", AssumeRolePolicyDocument=TRUST)
    return client


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox, moto: Moto, iam: Any) -> Home:
    """The sandbox's STS knows the key that moto has made for bob."""
    made = iam.create_access_key(UserName="bob")["AccessKey"]
    key = sandbox.bob
    sandbox.world.keys[made["AccessKeyId"]] = key
    sandbox.user("bob").keys[:] = [made["AccessKeyId"]]
    key.key_id, key.secret = made["AccessKeyId"], made["SecretAccessKey"]
    signed_up.config(CONFIG.replace(', mfa_serial: "arn:aws:iam::111122223333:mfa/bob"', ""))
    signed_up.environ |= {"T": sandbox.issuer.token(), "AWS_ENDPOINT_URL_IAM": moto.url}
    signed_up.run("add", "dev", "--stdin", stdin=key.json).ok()
    return signed_up


def states(iam: Any) -> list[str]:
    return [k["Status"] for k in iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]]


def test_migrate_to_its_end(team: Home, iam: Any) -> None:
    iam.put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=POLICY)
    iam.create_group(GroupName="devs")
    iam.put_group_policy(GroupName="devs", PolicyName="of-devs", PolicyDocument=POLICY)
    iam.add_user_to_group(GroupName="devs", UserName="bob")
    before = text(team)
    first = migrate(team, *TO, "--quiet-days", "0")
    assert "policy own: the user has it, the role does not" in first["remarks"]
    assert "policy of-devs: the user has it, the role does not" in first["remarks"]
    assert states(iam) == ["Active"]
    assert migrate(team)["done"] == "deactivated"
    assert states(iam) == ["Inactive"]
    assert migrate(team, "--undo")["done"] == "undone"
    assert states(iam) == ["Active"]
    assert text(team) == before
    migrate(team, *TO, "--quiet-days", "0")
    assert [migrate(team)["done"] for _ in range(3)] == ["deactivated", "deleted", "done"]
    assert states(iam) == []


def test_rotate_and_keep_the_old_key_inactive(team: Home, iam: Any, moto: Moto) -> None:
    team.environ["AWS_ENDPOINT_URL_STS"] = moto.url
    (old,) = [k["AccessKeyId"] for k in iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]]
    done = team.run("rotate", "dev", "--keep-inactive", "--output", "json").ok().json
    keys = iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    assert {k["AccessKeyId"]: k["Status"] for k in keys} == {
        old: "Inactive", done["access_key_id"]: "Active",
    }  # fmt: skip
    team.run("rotate", "dev").ok()
    assert old not in [
        k["AccessKeyId"] for k in iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    ]


def test_more_policies_than_a_page_holds(moto: Moto, iam: Any) -> None:
    names = {f"p{number:03}" for number in range(130)}
    for name in sorted(names):
        iam.put_user_policy(UserName="bob", PolicyName=name, PolicyDocument=POLICY)
        arn = iam.create_policy(PolicyName=name, PolicyDocument=POLICY)["Policy"]["Arn"]
        iam.attach_role_policy(RoleName="CiDeploy", PolicyArn=arn)
    aws = Aws({"AWS_ENDPOINT_URL_IAM": moto.url})
    asked = IamQuestions(aws, Credentials("AKIAIOSFODNN7EXAMPLE", Secret("x" * 40)), "us-east-1")
    assert asked.policies("user", "bob") == {Policy(name) for name in names}
    assert asked.policies("role", "CiDeploy") == {
        Policy(name, f"arn:aws:iam::{ACCOUNT}:policy/{name}") for name in names
    }
    assert asked.hidden == []
