"""What a role's session may do: the role's permissions within its session policies' union."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from tests.sandbox import DEV, Sandbox
from tests.sandbox_selftest.conftest import Client, Refuses

KEYS = f"arn:aws:iam::{DEV}:role/Keys"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
OTHER = "arn:aws:iam::aws:policy/OtherAccess"


def policy(effect: str, *actions: str, key: str = "Action") -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, key: list(actions), "Resource": "*"}]}


CREATE = policy("Allow", "iam:CreateAccessKey")


@pytest.mark.parametrize(
    ("asked", "may"),
    [
        ({}, "list create"),
        ({"PolicyArns": [{"arn": READ_ONLY}]}, "list"),
        ({"PolicyArns": [{"arn": OTHER}]}, ""),
        ({"Policy": json.dumps(CREATE)}, "create"),
        ({"Policy": json.dumps(CREATE), "PolicyArns": [{"arn": READ_ONLY}]}, "list create"),
        ({"Policy": json.dumps(policy("Deny", "iam:*")), "PolicyArns": [{"arn": READ_ONLY}]}, ""),
        ({"Policy": json.dumps(policy("Allow", "iam:Create*", key="NotAction"))}, "list"),
        ({"Policy": json.dumps(policy("Allow"))}, ""),
    ],
)
def test_a_session_may_do_what_its_role_and_any_of_its_policies_allow(
    sandbox: Sandbox, client: Client, asked: dict[str, Any], may: str
) -> None:
    sandbox.world.key_managers.add("Keys")
    sandbox.world.add_role(KEYS, sandbox.bob.arn)
    sts = client("sts", sandbox.bob)
    role = sts.assume_role(RoleArn=KEYS, RoleSessionName="bob", **asked)["Credentials"]
    iam = client("iam", role)
    done = []
    for word, call in (("list", iam.list_access_keys), ("create", iam.create_access_key)):
        with suppress(iam.exceptions.ClientError):
            call(UserName="bob")
            done.append(word)
    assert " ".join(done) == may
    assert client("sts", role).get_caller_identity()["Arn"].endswith("/Keys/bob")


def test_no_session_policy_widens_a_role(
    sandbox: Sandbox, client: Client, refuses: Refuses
) -> None:
    sandbox.world.key_managers.add("Keys")
    sandbox.world.add_role(KEYS, sandbox.bob.arn, policies=(policy("Allow", "iam:List*"),))
    asked = {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}]}
    sts = client("sts", sandbox.bob)
    role = sts.assume_role(RoleArn=KEYS, RoleSessionName="bob", **asked)["Credentials"]
    iam = client("iam", role)
    assert iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    with refuses("AccessDenied", "no identity-based policy allows"):
        iam.create_access_key(UserName="bob")


def test_a_narrowed_session_takes_no_other_role(
    sandbox: Sandbox, client: Client, refuses: Refuses
) -> None:
    sandbox.world.add_role(KEYS, sandbox.bob.arn, KEYS)
    sts = client("sts", sandbox.bob)
    asked = {"PolicyArns": [{"arn": READ_ONLY}]}
    role = sts.assume_role(RoleArn=KEYS, RoleSessionName="bob", **asked)["Credentials"]
    with refuses("AccessDenied", "no session policy allows"):
        client("sts", role).assume_role(RoleArn=KEYS, RoleSessionName="again")
