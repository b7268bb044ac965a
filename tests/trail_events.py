"""CloudTrail's events in the shapes that AWS writes, one function a kind.

Source: CloudTrail User Guide, "userIdentity element" and "AWS Management Console sign-in events";
IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail".
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

HOME = "198.51.100.7"
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)
Event = dict[str, Any]


def at(**ago: float) -> str:
    """A time before `NOON`, as CloudTrail writes it."""
    return (NOON - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(account: str, name: str, identity: Any, service: str = "iam", **changed: Any) -> Event:
    """A call that AWS took."""
    return {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": at(),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": HOME,
        "userAgent": "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux",
        "requestParameters": None,
        "responseElements": None,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    } | changed


def user(account: str, name: str, key: str | None = None) -> Event:
    """An IAM user, at the console or with a key."""
    identity = {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper():X<17}",
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "userName": name,
    }
    return identity | ({"accessKeyId": key} if key else {})


def root(account: str, key: str | None = None) -> Event:
    """The root user."""
    arn = f"arn:aws:iam::{account}:root"
    identity = {"type": "Root", "principalId": account, "arn": arn, "accountId": account}
    return identity | ({"accessKeyId": key} if key else {})


def session(account: str, role: str, name: str, key: str, path: str = "", **context: Any) -> Event:
    """A role's session."""
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{name}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLE",
                "arn": f"arn:aws:iam::{account}:role/{path}{role}",
                "accountId": account,
                "userName": role,
            },
            "attributes": {"creationDate": at(), "mfaAuthenticated": "false"},
            **context,
        },
    }


def service(name: str = "ec2.amazonaws.com") -> Event:
    """A service of AWS's own."""
    return {"type": "AWSService", "invokedBy": name}


def console_login(
    account: str, identity: Event, *, mfa: str = "No", good: bool = True, **changed: Any
) -> Event:
    """A sign-in at the console."""
    more = {"LoginTo": "https://console.aws.amazon.com/", "MobileVersion": "No", "MFAUsed": mfa}
    base: Event = {
        "eventType": "AwsConsoleSignIn",
        "responseElements": {"ConsoleLogin": "Success" if good else "Failure"},
        "additionalEventData": more,
        "awsRegion": "us-east-1",
    }
    base |= {} if good else {"errorMessage": "Failed authentication"}
    return event(account, "ConsoleLogin", identity, "signin", **base | changed)


def unknown_user(account: str) -> Event:
    """Of a failed sign-in with a name that does not exist."""
    return {
        "type": "IAMUser",
        "accountId": account,
        "accessKeyId": "",
        "userName": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }


def assume(account: str, identity: Event, role: str = "Deploy", **changed: Any) -> Event:
    """AssumeRole."""
    asked = {"roleArn": f"arn:aws:iam::{account}:role/{role}", "roleSessionName": "x"}
    asked |= changed.pop("asked", {})
    return event(account, "AssumeRole", identity, "sts", requestParameters=asked, **changed)


def by_saml(account: str, person: str, **changed: Any) -> Event:
    """AssumeRoleWithSAML: the person stands in `userName`; there is no ARN."""
    who = {
        "type": "SAMLUser",
        "principalId": f"/nQTosBbaHrvuioi=:{person}",
        "userName": person,
        "identityProvider": "/nQTosBbaHrvuioi=",
    }
    asked = {"roleArn": f"arn:aws:iam::{account}:role/Dev", "roleSessionName": person}
    asked |= changed.pop("asked", {})
    return event(account, "AssumeRoleWithSAML", who, "sts", requestParameters=asked, **changed)


def by_token(account: str, issuer: str, subject: str, key: str, **changed: Any) -> Event:
    """AssumeRoleWithWebIdentity, which gives a session with this key."""
    own = "." in issuer and issuer.split(":", maxsplit=1)[0] not in {
        "accounts.google.com",
        "cognito-identity.amazonaws.com",
    }
    provider = f"arn:aws:iam::{account}:oidc-provider/{issuer}" if own else issuer
    who = {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com:{subject}",
        "userName": subject,
        "identityProvider": provider,
    }
    role = f"arn:aws:iam::{account}:role/Ci"
    base = {
        "requestParameters": {"roleArn": role, "roleSessionName": "job"},
        "responseElements": {
            "credentials": {"accessKeyId": key, "expiration": "…", "sessionToken": "…"},
            "assumedRoleUser": {"arn": f"arn:aws:sts::{account}:assumed-role/Ci/job"},
        },
    }
    return event(account, "AssumeRoleWithWebIdentity", who, "sts", **base | changed)
