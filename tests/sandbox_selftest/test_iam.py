"""IAM: a user's own access keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.sandbox import Sandbox
from tests.sandbox_selftest.conftest import Client, Refuses


@pytest.fixture
def iam(sandbox: Sandbox, client: Client) -> Any:
    return client("iam", sandbox.ann)


def test_a_key_lives_and_dies(sandbox: Sandbox, client: Client, iam: Any, refuses: Refuses) -> None:
    made = iam.create_access_key()["AccessKey"]
    assert made["Status"] == "Active"
    with refuses("LimitExceeded", "AccessKeysPerUser: 2", 409):
        iam.create_access_key()
    keys = iam.list_access_keys()["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in keys] == [sandbox.ann.key_id, made["AccessKeyId"]]
    assert all(isinstance(key["CreateDate"], datetime) for key in keys)

    new = client("iam", made)
    assert new.get_user()["User"]["UserName"] == "ann"
    used = iam.get_access_key_last_used(AccessKeyId=made["AccessKeyId"])["AccessKeyLastUsed"]
    assert used["ServiceName"] == "iam"
    iam.update_access_key(AccessKeyId=made["AccessKeyId"], Status="Inactive")
    with refuses("InvalidClientTokenId"):
        new.get_user()
    iam.delete_access_key(AccessKeyId=made["AccessKeyId"])
    with refuses("NoSuchEntity", "", 404):
        iam.delete_access_key(AccessKeyId=made["AccessKeyId"])


def test_a_key_that_was_never_used(iam: Any) -> None:
    made = iam.create_access_key()["AccessKey"]["AccessKeyId"]
    used = iam.get_access_key_last_used(AccessKeyId=made)["AccessKeyLastUsed"]
    assert used == {"ServiceName": "N/A", "Region": "N/A"}


def test_devices(sandbox: Sandbox, client: Client, iam: Any) -> None:
    (device,) = iam.list_mfa_devices()["MFADevices"]
    assert device["SerialNumber"] == "arn:aws:iam::111122223333:mfa/ann"
    assert client("iam", sandbox.bob).list_mfa_devices()["MFADevices"] == []


def test_keys_of_somebody_else(sandbox: Sandbox, iam: Any, refuses: Refuses) -> None:
    with refuses("AccessDenied", "iam:ListAccessKeys"):
        iam.list_access_keys(UserName="bob")
    with refuses("NoSuchEntity"):
        iam.delete_access_key(AccessKeyId=sandbox.bob.key_id)


def test_a_session_needs_mfa(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    sts = client("sts", sandbox.ann)
    with refuses("InvalidClientTokenId", "", 403):
        client("iam", sts.get_session_token()["Credentials"]).get_user()
    with refuses("InvalidClientTokenId"):
        federated = sts.get_federation_token(Name="ann")["Credentials"]
        client("iam", federated).get_user()
    serial = "arn:aws:iam::111122223333:mfa/ann"
    with_mfa = sts.get_session_token(SerialNumber=serial, TokenCode=sandbox.code("ann"))
    assert client("iam", with_mfa["Credentials"]).get_user()["User"]["UserName"] == "ann"


def test_a_denied_action(sandbox: Sandbox, iam: Any, refuses: Refuses) -> None:
    sandbox.world.denied_actions.add("DeleteAccessKey")
    with refuses("AccessDenied", "iam:DeleteAccessKey", 403):
        iam.delete_access_key(AccessKeyId=sandbox.ann.key_id)
    assert iam.list_access_keys()["AccessKeyMetadata"]


def test_a_new_key_takes_its_time(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    sandbox.world.key_propagation = 10
    made = client("iam", sandbox.ann).create_access_key()["AccessKey"]
    with refuses("InvalidClientTokenId"):
        client("sts", made).get_caller_identity()
    sandbox.world.advance(11)
    assert client("sts", made).get_caller_identity()


def test_a_new_key_takes_some_calls(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    sandbox.world.key_propagation_calls = 2
    made = client("iam", sandbox.ann).create_access_key()["AccessKey"]
    for _ in range(2):
        with refuses("InvalidClientTokenId"):
            client("sts", made).get_caller_identity()
    assert client("sts", made).get_caller_identity()
