"""A synthetic organization's CloudTrail events, seeded, with findings planted among them.

written(folder, events=1000)   # as S3 lays them; returns what must be found, and nothing else
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ACCOUNTS = ("111122223333", "444455556666", "777788889999")
REGIONS = ("eu-west-1", "eu-central-1")
EVENTS_A_FILE = 2000
CONFIG = f"""\
version: 1
team: payments
defaults: {{region: eu-west-1}}
providers: {{sso: {{type: saml, idp: form, url: "https://idp.example/"}}}}
profiles: {{prod: {{provider: sso, account: "{ACCOUNTS[1]}", role: Admin}}}}
"""
"""A team's config that knows who `prod` is."""
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def event(**changed: Any) -> dict[str, Any]:
    """A quiet call of a federated person, changed; `identity` changes who."""
    identity = {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:ann",
        "arn": f"arn:aws:sts::{ACCOUNTS[1]}:assumed-role/Admin/ann",
        "accountId": ACCOUNTS[1],
        "accessKeyId": "ASIAANN",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNTS[1]}:role/Admin"},
            "attributes": {"mfaAuthenticated": "false"},
        },
    }
    base: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": identity | changed.pop("identity", {}),
        "eventTime": NOON.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "aws-cli/2",
        "requestParameters": None,
        "responseElements": None,
        "eventID": f"{random.getrandbits(128):032x}",
        "readOnly": True,
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNTS[1],
    }
    return base | changed


def user(name: str, key: str | None = None) -> dict[str, Any]:
    """An IAM user's identity."""
    arn = f"arn:aws:iam::{ACCOUNTS[0]}:user/{name}"
    more = {"accessKeyId": key} if key else {"accessKeyId": None}
    return {"type": "IAMUser", "userName": name, "arn": arn, "sessionContext": None, **more}


def planted() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Rule, who, and an event that must be found."""
    here = {"recipientAccountId": ACCOUNTS[0]}
    root = {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNTS[0]}:root", "accessKeyId": None}
    yield "root-used", "root", event(identity=root, eventName="CreateUser", **here)
    login = {
        "eventName": "ConsoleLogin",
        "eventSource": "signin.amazonaws.com",
        "responseElements": {"ConsoleLogin": "Success"},
        **here,
    }
    mfa = {"additionalEventData": {"MFAUsed": "No"}}
    yield "console-login-without-mfa", "lea", event(identity=user("lea"), **login, **mfa)
    yield "console-login-beside-sso", "lea", event(identity=user("lea"), **login)
    yield "long-term-key-used", "robot", event(identity=user("robot", "AKIAROBOT"), **here)
    for name in ("DeactivateMFADevice", "DeleteVirtualMFADevice"):
        yield "mfa-device-removed", "lea", event(identity=user("lea"), eventName=name, **here)
    made = {"requestParameters": {"userName": "robot"}, **here}
    yield (
        "key-for-somebody-else",
        "lea",
        event(identity=user("lea"), eventName="CreateAccessKey", **made),
    )
    yield (
        "password-set-for-user",
        "lea",
        event(identity=user("lea"), eventName="UpdateLoginProfile", **made),
    )
    yield (
        "identity-provider-changed",
        "ann, by profile prod",
        event(eventName="UpdateSAMLProvider", eventSource="iam.amazonaws.com"),
    )
    policy = {"userName": "robot", "policyName": "AWSCompromisedKeyQuarantineV3"}
    yield "key-quarantined", "robot", event(
        identity={"type": "AWSService", "arn": None, "invokedBy": "support.amazonaws.com"},
        eventName="PutUserPolicy", requestParameters=policy, **here,
    )  # fmt: skip
    yield "role-by-user-key", "robot", event(
        identity=user("robot", "AKIAROBOT"), eventName="AssumeRole",
        eventSource="sts.amazonaws.com", requestParameters={"roleArn": "arn:aws:iam::1:role/x"},
        **here,
    )  # fmt: skip
    for number in range(21):
        yield "password-spraying", "198.51.100.66", event(
            identity=user(f"victim{number}"),
            **login | {"responseElements": {"ConsoleLogin": "Failure"}},
            sourceIPAddress="198.51.100.66",
        )  # fmt: skip
    for number in range(6):
        yield (
            "session-many-addresses",
            "eve, by profile prod",
            event(
                identity={
                    "accessKeyId": "ASIACOPIED",
                    "arn": f"arn:aws:sts::{ACCOUNTS[1]}:assumed-role/Admin/eve",
                },
                sourceIPAddress=f"203.0.113.{number}",
            ),
        )
    job = f"arn:aws:sts::{ACCOUNTS[0]}:assumed-role/CiDeploy/job"
    yield "ci-credentials-elsewhere", "job, as CiDeploy", event(
        identity={"type": "WebIdentityUser", "arn": None, "accessKeyId": None},
        eventName="AssumeRoleWithWebIdentity", eventSource="sts.amazonaws.com",
        requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNTS[0]}:role/CiDeploy"},
        responseElements={"credentials": {"accessKeyId": "ASIAJOB"}}, **here,
    )  # fmt: skip
    yield (
        "ci-credentials-elsewhere",
        "job, as CiDeploy",
        event(
            identity={"arn": job, "accessKeyId": "ASIAJOB"}, sourceIPAddress="203.0.113.99", **here
        ),
    )


def traps() -> Iterator[dict[str, Any]]:
    """Events that look like findings and are none."""
    federated = {
        "eventName": "ConsoleLogin",
        "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": {
            "MFAUsed": "No",
            "SamlProviderArn": "arn:aws:iam::1:saml-provider/x",
        },
    }
    yield event(**federated)
    root = {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNTS[0]}:root"}
    yield event(identity=root | {"invokedBy": "support.amazonaws.com"})
    yield event(identity=root, eventType="AwsServiceEvent")
    service = "AWSServiceRoleForAutoScaling"
    linked = {
        "accessKeyId": "ASIALINKED",
        "arn": f"arn:aws:sts::{ACCOUNTS[1]}:assumed-role/{service}/x",
        "sessionContext": {
            "sessionIssuer": {
                "arn": f"arn:aws:iam::1:role/aws-service-role/a.amazonaws.com/{service}"
            }
        },
    }
    for number in range(8):
        yield event(identity=linked, sourceIPAddress=f"192.0.2.{number}")
        yield event(
            identity={"accessKeyId": "ASIAB"}, sourceIPAddress="cloudformation.amazonaws.com"
        )
    yield event(identity={"type": "IdentityCenterUser", "arn": None, "onBehalfOf": {"userId": "u"}})
    yield event(
        eventName="CreateAccessKey", identity=user("own"), requestParameters={"userName": "own"}
    )
    yield event(identity=user("own"), eventName="DeactivateMFADevice", errorCode="AccessDenied")


def written(folder: Path, *, events: int, seed: int = 1) -> set[tuple[str, str]]:
    """Write the organization's files; what must be found, by rule and who."""
    random.seed(seed)
    expected = {(rule, who) for rule, who, _ in planted()}
    special = [one for _, _, one in planted()] + list(traps())
    number = 0
    while number < events or special:
        batch = special[:EVENTS_A_FILE]
        special = special[EVENTS_A_FILE:]
        account, region = random.choice(ACCOUNTS), random.choice(REGIONS)
        moment = NOON - timedelta(days=random.randrange(60))
        while len(batch) < EVENTS_A_FILE and number < events:
            number += 1
            at = moment + timedelta(seconds=random.randrange(3600))
            session = random.randrange(5000)
            batch.append(
                event(
                    eventTime=at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    awsRegion=region,
                    recipientAccountId=account,
                    sourceIPAddress=f"192.0.2.{session % 250}",
                    identity={"accessKeyId": f"ASIA{session:08d}"},
                )
            )
        day = moment.strftime("%Y/%m/%d")
        place = folder / f"AWSLogs/o-org/{account}/CloudTrail/{region}/{day}"
        place.mkdir(parents=True, exist_ok=True)
        random.shuffle(batch)
        name = f"{account}_CloudTrail_{region}_{random.getrandbits(64):016x}.json.gz"
        text = json.dumps({"Records": batch})
        (place / name).write_bytes(gzip.compress(text.encode(), compresslevel=1))
    return expected
