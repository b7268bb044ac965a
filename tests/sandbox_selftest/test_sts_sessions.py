"""GetSessionToken, GetFederationToken and AssumeRole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox import Sandbox
from tests.sandbox_selftest.conftest import Client, Refuses

DEVICE = "arn:aws:iam::111122223333:mfa/ann"
DEPLOY = "arn:aws:iam::111122223333:role/Deploy"
READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
MFA_ONLY = "arn:aws:iam::111122223333:role/MfaOnly"
AUDIT = "arn:aws:iam::777788889999:role/Audit"


def seconds_left(credentials: dict[str, Any]) -> float:
    return float((credentials["Expiration"] - datetime.now(UTC)).total_seconds())


def session_of(sts: Any, **more: Any) -> Any:
    return sts.get_session_token(**more)["Credentials"]


def role_of(sts: Any, arn: str = DEPLOY, name: str = "ann", **more: Any) -> Any:
    return sts.assume_role(RoleArn=arn, RoleSessionName=name, **more)["Credentials"]


@pytest.fixture
def ann(sandbox: Sandbox, client: Client) -> Any:
    return client("sts", sandbox.ann)


# GetSessionToken


def test_a_session(ann: Any, client: Client) -> None:
    session = session_of(ann, DurationSeconds=900)
    assert 890 < seconds_left(session) <= 901
    assert client("sts", session).get_caller_identity()["Arn"].endswith(":user/ann")


def test_a_session_from_a_session(ann: Any, client: Client, refuses: Refuses) -> None:
    with refuses("AccessDenied", "session credentials", 403):
        client("sts", session_of(ann)).get_session_token()


@pytest.mark.parametrize("seconds", [899, 129601])
def test_the_bounds_of_a_session(ann: Any, refuses: Refuses, seconds: int) -> None:
    assert session_of(ann, DurationSeconds=129600)
    with refuses("ValidationError", "durationSeconds", 400):
        session_of(ann, DurationSeconds=seconds)


def test_a_code_is_good_once(sandbox: Sandbox, ann: Any, refuses: Refuses) -> None:
    code = sandbox.code("ann")
    session_of(ann, SerialNumber=DEVICE, TokenCode=code)
    assert sandbox.world.granted[-1]["mfa"] is True
    with refuses("AccessDenied", "invalid MFA one time pass code", 403):
        session_of(ann, SerialNumber=DEVICE, TokenCode=code)


def test_the_windows_of_a_code(sandbox: Sandbox, ann: Any, refuses: Refuses) -> None:
    with refuses("AccessDenied", "invalid MFA"):
        session_of(ann, SerialNumber=DEVICE, TokenCode=sandbox.code("ann", ahead=3))
    with refuses("AccessDenied", "invalid MFA"):
        session_of(ann, SerialNumber=DEVICE, TokenCode=sandbox.code("ann", ahead=-3))
    session_of(ann, SerialNumber=DEVICE, TokenCode=sandbox.code("ann", ahead=1))


def test_a_device_of_somebody_else(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    with refuses("AccessDenied", "MFA serial"):
        session_of(client("sts", sandbox.bob), SerialNumber=DEVICE, TokenCode=sandbox.code("ann"))


def test_half_of_an_mfa(sandbox: Sandbox, ann: Any, refuses: Refuses) -> None:
    with refuses("AccessDenied", "both"):
        session_of(ann, TokenCode=sandbox.code("ann"))


# GetFederationToken


def test_a_federated_user(ann: Any, client: Client, refuses: Refuses) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    reply = ann.get_federation_token(Name="ann", Policy=policy)
    assert reply["FederatedUser"]["Arn"] == "arn:aws:sts::111122223333:federated-user/ann"
    federated = client("sts", reply["Credentials"])
    assert federated.get_caller_identity()["UserId"] == "111122223333:ann"
    with refuses("AccessDenied", "federated"):
        role_of(federated, AUDIT, ExternalId="x")
    with refuses("AccessDenied", "session credentials"):
        federated.get_federation_token(Name="ann")


# AssumeRole


def test_a_role(sandbox: Sandbox, ann: Any, client: Client) -> None:
    reply = ann.assume_role(
        RoleArn=DEPLOY,
        RoleSessionName="ann",
        DurationSeconds=12 * 3600,
        Tags=[{"Key": "team", "Value": "payments"}],
        TransitiveTagKeys=["team"],
        SourceIdentity="ann",
        PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        Policy='{"Statement": []}',
    )
    arn = "arn:aws:sts::111122223333:assumed-role/Deploy/ann"
    assert reply["AssumedRoleUser"]["Arn"] == arn
    assert client("sts", reply["Credentials"]).get_caller_identity()["Arn"] == arn
    granted = sandbox.world.granted[-1]
    assert granted["seconds"] == 12 * 3600
    assert (granted["tags"], granted["transitive"]) == ({"team": "payments"}, ["team"])
    assert (granted["source_identity"], granted["policy"]) == ("ann", '{"Statement": []}')
    assert granted["policy_arns"] == ["arn:aws:iam::aws:policy/ReadOnlyAccess"]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::111122223333:role/Nobody",
        "arn:aws:iam::444455556666:role/Admin",
        "arn:aws:iam::111122223333:role/Dev",
    ],
)
def test_a_role_that_does_not_trust(ann: Any, refuses: Refuses, arn: str) -> None:
    with refuses("AccessDenied", "sts:AssumeRole", 403):
        role_of(ann, arn)


def test_a_role_with_a_path(ann: Any, client: Client) -> None:
    session = role_of(ann, "arn:aws:iam::111122223333:role/team/Dev")
    assert client("sts", session).get_caller_identity()["Arn"].endswith(":assumed-role/Dev/ann")


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "aws-eusc"])
def test_other_partitions(sandbox: Sandbox, client: Client, partition: str) -> None:
    user = sandbox.world.add_user(f"arn:{partition}:iam::111122223333:user/cy")
    keys = sandbox.world.add_keys(user)
    root = f"arn:{partition}:iam::111122223333:root"
    role = sandbox.world.add_role(f"arn:{partition}:iam::999900001111:role/Far", root)
    session = role_of(client("sts", keys), role.arn, "cy")
    arn = client("sts", session).get_caller_identity()["Arn"]
    assert arn == f"arn:{partition}:sts::999900001111:assumed-role/Far/cy"


def test_an_external_id(ann: Any, refuses: Refuses) -> None:
    assert role_of(ann, AUDIT, ExternalId="x")
    for more in ({}, {"ExternalId": "other"}):
        with refuses("AccessDenied"):
            role_of(ann, AUDIT, **more)


def test_a_role_that_wants_mfa(
    sandbox: Sandbox, ann: Any, client: Client, refuses: Refuses
) -> None:
    with refuses("AccessDenied"):
        role_of(ann, MFA_ONLY)
    with refuses("AccessDenied"):
        role_of(client("sts", session_of(ann)), MFA_ONLY)
    assert role_of(ann, MFA_ONLY, SerialNumber=DEVICE, TokenCode=sandbox.code("ann"))
    sandbox.world.advance(60)
    session = session_of(ann, SerialNumber=DEVICE, TokenCode=sandbox.code("ann"))
    assert role_of(client("sts", session), MFA_ONLY)


def test_longer_than_the_role_allows(ann: Any, refuses: Refuses) -> None:
    assert role_of(ann, READ_ONLY, DurationSeconds=3600)
    with refuses("ValidationError", "MaxSessionDuration", 400):
        role_of(ann, READ_ONLY, DurationSeconds=3601)
    with refuses("ValidationError", "43200"):
        role_of(ann, DEPLOY, DurationSeconds=43201)


def test_an_hour_at_most_from_temporary_credentials(
    sandbox: Sandbox, ann: Any, client: Client, refuses: Refuses
) -> None:
    mfa = {"SerialNumber": DEVICE, "TokenCode": sandbox.code("ann")}
    for temporary in (session_of(ann), session_of(ann, **mfa), role_of(ann)):
        sandbox.world.roles[DEPLOY].trusts += (DEPLOY,)
        sts = client("sts", temporary)
        assert role_of(sts, DurationSeconds=3600)
        with refuses("ValidationError", "1 hour session limit for roles assumed by role chaining"):
            role_of(sts, DurationSeconds=3601)


def test_a_chain(ann: Any, client: Client, sandbox: Sandbox, refuses: Refuses) -> None:
    sandbox.world.add_role("arn:aws:iam::777788889999:role/Next", DEPLOY)
    chained = client("sts", role_of(ann, DEPLOY))
    assert role_of(chained, "arn:aws:iam::777788889999:role/Next")
    with refuses("AccessDenied"):
        role_of(client("sts", role_of(ann, READ_ONLY)), "arn:aws:iam::777788889999:role/Next")


@pytest.mark.parametrize("name", ["a b", "x" * 65, "é" * 3])
def test_the_name_of_a_session(ann: Any, refuses: Refuses, name: str) -> None:
    with refuses("ValidationError", "roleSessionName", 400):
        role_of(ann, name=name)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Policy": json.dumps("x" * 2100)}, "ValidationError"),
        ({"Policy": json.dumps({"Version": "2012-10-17"})}, "MalformedPolicyDocument"),
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::aws:policy/{n}"} for n in range(11)]},
         "ValidationError"),
        ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "ValidationError"),
        ({"TransitiveTagKeys": ["absent"]}, "InvalidParameterValue"),
        ({"SourceIdentity": "not allowed"}, "ValidationError"),
    ],
)  # fmt: skip
def test_parameters_out_of_bounds(ann: Any, refuses: Refuses, more: Any, code: str) -> None:
    with refuses(code, "", 400):
        role_of(ann, **more)


def test_the_account_of_a_key(sandbox: Sandbox, ann: Any, refuses: Refuses) -> None:
    assert ann.get_access_key_info(AccessKeyId=sandbox.bob.key_id)["Account"] == "111122223333"
    with refuses("ValidationError"):
        ann.get_access_key_info(AccessKeyId="AKIANOBODYATALLXX")
