"""Each rule over CloudTrail's events: what it finds, and what looks alike and is none of its."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from broker.report.document import RULES
from tests.configs import config
from tests.support import Home
from tests.trail_events import (
    HOME,
    Event,
    assume,
    at,
    by_saml,
    by_token,
    console_login,
    event,
    root,
    service,
    session,
    unknown_user,
    user,
)  # fmt: skip

AWAY = "203.0.113.99"
GITHUB, EKS = "token.actions.githubusercontent.com", "oidc.eks.eu-west-1.amazonaws.com/id/A"
SSO = "AWSReservedSSO_Dev_0123456789abcdef"
Made = Callable[[str], list[Event]]


def calls(account: str, identity: Any, *addresses: str, **changed: Any) -> list[Event]:
    return [
        event(account, "ListBuckets", identity, "s3", sourceIPAddress=one, **changed)
        for one in addresses
    ]


def spread(count: int) -> list[str]:
    return [f"203.0.113.{number}" for number in range(count)]


def failures(account: str, minutes: list[float], address: str, **changed: Any) -> list[Event]:
    return [
        console_login(
            account, unknown_user(account), good=False, sourceIPAddress=address,
            eventTime=at(minutes=one), **changed,
        )
        for one in minutes
    ]  # fmt: skip


def key_history(account: str, *uses: tuple[float, str]) -> list[Event]:
    robot = user(account, "robot", f"AKIA{account}")
    return [
        event(account, "ListBuckets", robot, "s3", eventTime=at(days=ago), sourceIPAddress=address)
        for ago, address in uses
    ]


def iam(account: str, name: str, identity: Any, of: str | None = None, **asked: str) -> Event:
    about = {"userName": of} if of else {}
    return event(account, name, identity, requestParameters=about | asked)


def job(account: str, issuer: str, key: str, *addresses: str, **changed: Any) -> list[Event]:
    asked = {"roleArn": f"arn:aws:iam::{account}:role/Ci", "sourceIdentity": "job"}
    subject = "repo:corp/app:ref:refs/heads/main"
    return [
        by_token(account, issuer, subject, key, **{"requestParameters": asked} | changed),
        *calls(account, session(account, "Ci", "job", key), *addresses),
    ]


CASES: dict[str, tuple[set[tuple[str, str]], Made]] = {
    "root": ({("root-used", "root")}, lambda a: [event(a, "CreateUser", root(a, "ASIAR"))]),
    "root was refused": (
        {("root-used", "root")},
        lambda a: [event(a, "CreateUser", root(a), errorCode="AccessDenied")],
    ),
    "root at the console": (
        {("root-used", "root"), ("console-login-without-mfa", "root")},
        lambda a: [console_login(a, root(a))],
    ),
    "root's password did not fit": (set(), lambda a: [console_login(a, root(a), good=False)]),
    "services for root": (
        set(),
        lambda a: [
            event(a, "CreateUser", root(a) | {"invokedBy": "support.amazonaws.com"}),
            event(a, "RotateKey", root(a), "kms", eventType="AwsServiceEvent"),
            event(a, "CreateUser", root(a), sourceIPAddress="AWS Internal"),
        ],
    ),
    "root without an address": (
        {("root-used", "root")},
        lambda a: [event(a, "CreateUser", root(a), sourceIPAddress=None, eventType=None)],
    ),
    "no MFA": (
        {("console-login-without-mfa", "lea"), ("console-login-beside-sso", "lea")},
        lambda a: [console_login(a, user(a, "lea"))],
    ),
    "MFA": (
        {("console-login-beside-sso", "lea")},
        lambda a: [console_login(a, user(a, "lea"), mfa="Yes")],
    ),
    "federated at the console": (
        set(),
        lambda a: [
            console_login(a, session(a, "Dev", "ann", "ASIAC")),
            console_login(a, session(a, SSO, "ann", "ASIAD", "aws-reserved/sso.amazonaws.com/")),
            console_login(a, {"type": "FederatedUser", "accountId": a, "principalId": f"{a}:ann",
                "arn": f"arn:aws:sts::{a}:federated-user/ann"}),
            console_login(a, session(a, "Dev", "ann", "ASIAE"), additionalEventData={
                "MFAUsed": "No", "SamlProviderArn": f"arn:aws:iam::{a}:saml-provider/corp"}),
        ],
    ),
    "a password did not fit": (set(), lambda a: [console_login(a, user(a, "lea"), good=False)]),
    "a key": (
        {("long-term-key-used", "robot")},
        lambda a: calls(a, user(a, "robot", "AKIA1"), HOME),
    ),
    "a key, refused": (
        {("long-term-key-used", "robot")},
        lambda a: calls(a, user(a, "robot", "AKIA2"), HOME, errorCode="AccessDenied"),
    ),
    "a key's calls by a service": (
        set(),
        lambda a: [
            *calls(a, user(a, "robot", "AKIA3"), "cloudformation.amazonaws.com"),
            *calls(a, user(a, "robot", "AKIA3") | {"invokedBy": "athena.amazonaws.com"}, HOME),
        ],
    ),
    "a user's session": (set(), lambda a: calls(a, user(a, "lea", "ASIAU"), HOME)),
    "a new address": (
        {("long-term-key-used", "robot"), ("long-term-key-new-address", "robot")},
        lambda a: key_history(a, (40, HOME), (30, HOME), (1, AWAY)),
    ),
    "a new address, weeks ago": (
        {("long-term-key-used", "robot"), ("long-term-key-new-address", "robot")},
        lambda a: key_history(a, (40, HOME), (30, AWAY), (1, AWAY)),
    ),
    "two addresses all along": (
        {("long-term-key-used", "robot")},
        lambda a: key_history(a, (40, HOME), (40, AWAY), (1, HOME), (1, AWAY)),
    ),
    "a new key": ({("long-term-key-used", "robot")}, lambda a: key_history(a, (1, HOME))),
    "six addresses": (
        {("session-many-addresses", "eve, as Dev")},
        lambda a: calls(a, session(a, "Dev", "eve", "ASIA6"), *spread(6)),
    ),
    "five addresses": (
        set(),
        lambda a: calls(a, session(a, "Dev", "ann", "ASIA5"), *spread(5)) * 3,
    ),
    "six sessions": (
        set(),
        lambda a: [
            one
            for number, address in enumerate(spread(6))
            for one in calls(a, session(a, "Dev", "ann", f"ASIAS{number}"), address)
        ],
    ),
    "services with a session": (
        set(),
        lambda a: [
            *calls(a, session(a, "Dev", "ann", "ASIAV"), *spread(5), "AWS Internal"),
            *calls(a, session(a, "Dev", "ann", "ASIAV"), *(f"s{n}.amazonaws.com" for n in "abc")),
            *calls(a, session(a, "Dev", "ann", "ASIAV") | {"invokedBy": "x"}, *spread(9)),
            *calls(a, session(a, "AWSServiceRoleForECS", "ecs", "ASIAL",
                "aws-service-role/ecs.amazonaws.com/"), *spread(9)),
        ],
    ),
    "a service-linked role without its issuer": (
        set(),
        lambda a: calls(
            a, session(a, "AWSServiceRoleForECS", "x", "ASIAM") | {"sessionContext": None},
            *spread(9),
        ),
    ),
    "21 failures": (
        {("password-spraying", "192.0.2.21")},
        lambda a: failures(a, [2 * n for n in range(21)], "192.0.2.21"),
    ),
    "21 failures around the hour": (
        {("password-spraying", "192.0.2.22")},
        lambda a: failures(a, [n - 10 for n in range(21)], "192.0.2.22"),
    ),
    "20 failures": (set(), lambda a: failures(a, [*range(20)], "192.0.2.20")),
    "21 failures in two hours": (
        set(),
        lambda a: failures(a, [6 * n for n in range(21)], "192.0.2.23"),
    ),
    "21 failures from as many addresses": (
        set(),
        lambda a: [one for n in range(21) for one in failures(a, [n], f"192.0.2.{100 + n}")],
    ),
    "the MFA device": (
        {("mfa-device-removed", "lea")},
        lambda a: [iam(a, "DeactivateMFADevice", user(a, "lea", "ASIAX"), "lea")],
    ),
    "no MFA device": (
        set(),
        lambda a: [
            iam(a, "EnableMFADevice", user(a, "lea"), "lea"),
            event(a, "DeleteVirtualMFADevice", user(a, "lea"), errorCode="AccessDenied"),
        ],
    ),
    "somebody else's key": (
        {("key-for-somebody-else", "eve"), ("key-for-somebody-else", "ann, as Dev")},
        lambda a: [
            iam(a, "CreateAccessKey", user(a, "eve"), "robot"),
            iam(a, "CreateAccessKey", session(a, "Dev", "ann", "ASIAK"), "robot"),
        ],
    ),
    "one's own key": (
        set(),
        lambda a: [
            iam(a, "CreateAccessKey", user(a, "lea"), "lea"),
            event(a, "CreateAccessKey", user(a, "lea")),
            event(a, "CreateAccessKey", user(a, "eve"), errorCode="AccessDenied",
                requestParameters={"userName": "robot"}),
        ],
    ),
    "a password for somebody": (
        {("password-set-for-user", "ann, as Dev")},
        lambda a: [iam(a, "CreateLoginProfile", session(a, "Dev", "ann", "ASIAP"), "lea")],
    ),
    "one's own password": (
        set(),
        lambda a: [
            event(a, "ChangePassword", user(a, "lea")),
            iam(a, "UpdateLoginProfile", user(a, "lea"), "lea"),
            iam(a, "DeleteLoginProfile", user(a, "eve"), "lea"),
        ],
    ),
    "identity providers": (
        {("identity-provider-changed", f"p{number}") for number in range(8)},
        lambda a: [
            event(a, name, user(a, f"p{number}"), source)
            for number, (name, source) in enumerate([
                ("CreateSAMLProvider", "iam"), ("UpdateSAMLProvider", "iam"),
                ("CreateOpenIDConnectProvider", "iam"), ("AssociateDirectory", "sso"),
                ("UpdateOpenIDConnectProviderThumbprint", "iam"), ("DisassociateDirectory", "sso"),
                ("EnableExternalIdPConfigurationForDirectory", "sso-directory"),
                ("DisableExternalIdPConfigurationForDirectory", "sso-directory"),
            ])
        ],
    ),
    "identity providers looked at": (
        set(),
        lambda a: [event(a, n, user(a, "lea")) for n in ("GetSAMLProvider", "ListSAMLProviders")],
    ),
    "a quarantine": (
        {("key-quarantined", "robot"), ("key-quarantined", "lea")},
        lambda a: [
            iam(a, "AttachUserPolicy", user(a, "robot", "ASIAQ"), "robot",
                policyArn="arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"),
            iam(a, "PutUserPolicy", service("x"), "lea", policyName="AWSCompromisedKeyQuarantine"),
        ],
    ),
    "no quarantine": (
        set(),
        lambda a: [
            iam(a, "DetachUserPolicy", user(a, "lea"), "lea",
                policyArn="arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2"),
            iam(a, "AttachUserPolicy", user(a, "lea"), "lea",
                policyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"),
        ],
    ),
    "a job's session elsewhere": (
        {("ci-credentials-elsewhere", "job, as Ci")},
        lambda a: job(a, GITHUB, "ASIAJ1", HOME, AWAY),
    ),
    "a job's session at home": (
        set(),
        lambda a: job(a, GITHUB, "ASIAJ2", HOME, "s3.amazonaws.com"),
    ),
    "a pod's session elsewhere": (set(), lambda a: job(a, EKS, "ASIAJ3", HOME, AWAY)),
    "an app's session elsewhere": (
        set(),
        lambda a: [
            *job(a, "cognito-identity.amazonaws.com", "ASIAJ4", AWAY,
                sourceIPAddress="cognito-identity.amazonaws.com"),
            *job(a, "accounts.google.com", "ASIAJ5", AWAY),
        ],
    ),
    "no SourceIdentity": (
        {("no-source-identity", "ann@corp"), ("no-source-identity", "ben@corp"),
         ("no-source-identity", "cyn, as Dev")},
        lambda a: [
            by_saml(a, "ann@corp"), by_saml(a, "ben@corp"),
            assume(a, session(a, "Dev", "cyn", "ASIAN")),
        ],
    ),
    "a SourceIdentity": (
        set(),
        lambda a: [
            by_saml(a, "ann@corp", asked={"sourceIdentity": "ann"}),
            assume(a, session(a, "Dev", "awslogin", "ASIAI", sourceIdentity="ann")),
            assume(a, session(a, "Dev", "cyn", "ASIAI2"), asked={"sourceIdentity": "cyn"}),
            assume(a, service(), sourceIPAddress="ec2.amazonaws.com"),
            assume(a, session(a, "Dev", "cyn", "ASIAI3") | {"invokedBy": "eks.amazonaws.com"}),
            assume(a, session(a, "Dev", "cyn", "ASIAI4"), errorCode="AccessDenied"),
        ],
    ),
    "a role by a key": (
        {("role-by-user-key", "robot"), ("long-term-key-used", "robot")},
        lambda a: [assume(a, user(a, "robot", "AKIAR"), asked={"sourceIdentity": "robot"})],
    ),
    "a role by a user's session": (
        set(),
        lambda a: [assume(a, user(a, "lea", "ASIAT"), asked={"sourceIdentity": "lea"})],
    ),
    "another region": (
        {("region-not-used", "us-east-1")},
        lambda a: [by_saml(a, "ann@corp", awsRegion="us-east-1", asked={"sourceIdentity": "ann"})],
    ),
    "another region, no sign-in": (
        set(),
        lambda a: [
            event(a, "GetCallerIdentity", user(a, "lea"), "sts", awsRegion="us-east-1"),
            assume(a, service(), awsRegion="us-east-1", sourceIPAddress="ec2.amazonaws.com"),
        ],
    ),
    "the other account's copy": (
        {("no-source-identity", "AIDAEXAMPLE")},
        lambda a: [assume(a, {"type": "AWSAccount", "principalId": "AIDAEXAMPLE",
            "accountId": "999988887777"})],
    ),
    "nobody": (
        set(),
        lambda a: [event(a, "ListBuckets", None, "s3"), event(a, "ListBuckets", {}, "s3")],
    ),
}  # fmt: skip
"""What happens → rule and who of each finding, and the events of an account."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[tuple[str, str]]]:
    """Of each case what is found in its account; all accounts are read at once."""
    folder = tmp_path_factory.mktemp("rules")
    accounts = {f"{number + 100000000000}": name for number, name in enumerate(CASES)}
    for account, name in accounts.items():
        place = folder / f"trail/AWSLogs/o-1/{account}/CloudTrail/eu-west-1/2026/01/01"
        place.mkdir(parents=True)
        (place / "one.json").write_text(json.dumps({"Records": CASES[name][1](account)}))
    home = Home(folder / "home")
    head = "defaults: {region: eu-west-1}\nreport: {require_source_identity: true}\n"
    text = config("dev", head=head)
    home.config(text)
    done = home.run("report", "--cloudtrail", str(folder / "trail"), "--format", "json").ok()
    of_case: dict[str, set[tuple[str, str]]] = {name: set() for name in CASES}
    for one in done.json["findings"]:
        if RULES[one["id"]].source == "cloudtrail":
            of_case[accounts[one["account_id"]]].add((one["id"], one["who"]))
    return of_case


@pytest.mark.parametrize("name", CASES)
def test_a_case(found: dict[str, set[tuple[str, str]]], name: str) -> None:
    assert found[name] == CASES[name][0]


def test_every_rule_has_a_case() -> None:
    rules = {rule for expected, _ in CASES.values() for rule, _ in expected}
    assert rules == {rule.id for rule in RULES.values() if rule.source == "cloudtrail"}
