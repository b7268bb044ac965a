"""Who stands behind a principal: SourceIdentity, Identity Center's user ids, session names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import organization
from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import Home

USER_ID = "906706f2-a0b1-70de-2f4c-1b2c3d4e5f60"
ROLE = f"arn:aws:sts::{organization.ACCOUNTS[1]}:assumed-role"
RESERVED = f"{ROLE}/AWSReservedSSO_Admin_0123456789abcdef"
BY_SSO = {"onBehalfOf": {"userId": USER_ID, "identityStoreArn": "arn:aws:identitystore::1:x"}}
LOST = {"type": "IdentityCenterUser", "arn": None, "accessKeyId": None, **BY_SSO}


def as_source(name: str) -> dict[str, Any]:
    return {"sessionContext": {"sourceIdentity": name}}


@pytest.mark.parametrize(
    ("identities", "who"),
    [
        ([{"arn": f"{ROLE}/Admin/ann"}], "ann, by profile prod"),
        ([{"arn": f"{RESERVED}/ann@corp"}], "ann@corp, by profile prod"),
        ([{"arn": f"{ROLE}/Other/ann"}], "ann, as Other"),
        ([{"arn": f"{ROLE}/Admin/awslogin", **as_source("ben")}], "ben, by profile prod"),
        ([LOST, {"arn": f"{RESERVED}/ann@corp", **BY_SSO}], "ann@corp"),
        ([LOST], f"Identity Center's user {USER_ID}"),
    ],
)
def test_a_person(
    home: Home, sandbox: Sandbox, tmp_path: Path, identities: list[dict[str, Any]], who: str
) -> None:
    home.config(config("prod", sandbox=sandbox))
    first, *others = identities
    records = [organization.event(identity=first, eventName="AssociateDirectory")]
    records += [organization.event(identity=other) for other in others]
    (tmp_path / "trail.json").write_text(json.dumps({"Records": records}))
    done = home.run("report", "--cloudtrail", str(tmp_path / "trail.json"), "--format", "json")
    (finding,) = done.ok().json["findings"]
    assert (finding["id"], finding["who"]) == ("identity-provider-changed", who)


def test_a_name_of_two_people_stays_a_name(home: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    home.config(config("prod", sandbox=sandbox))
    records = [
        organization.event(
            identity={"arn": f"{ROLE}/Admin/shared", **as_source(name)},
            eventName="AssociateDirectory",
        )
        for name in ("ann", "ben")
    ]
    (tmp_path / "trail.json").write_text(json.dumps({"Records": records}))
    done = home.run("report", "--cloudtrail", str(tmp_path / "trail.json"), "--format", "json")
    (finding,) = done.ok().json["findings"]
    assert (finding["who"], finding["count"]) == ("shared, by profile prod", 2)


def test_of_people_of_one_name_the_least_evidence_is_told(home: Home, tmp_path: Path) -> None:
    home.config(config("prod"))
    records = [
        organization.event(
            identity=organization.user("robot") | {"arn": f"arn:aws:iam::{digit * 12}:user/robot"},
            eventName="CreateAccessKey",
            requestParameters={"userName": f"user-{digit}"},
        )
        for digit in "987654321"
    ]
    (tmp_path / "trail.json").write_text(json.dumps({"Records": records}))
    done = home.run("report", "--cloudtrail", str(tmp_path / "trail.json"), "--format", "json")
    (finding,) = done.ok().json["findings"]
    assert (finding["who"], finding["count"], finding["evidence"]) == ("robot", 9, "user-1")


def test_who_cannot_carry_a_source_identity_is_told(home: Home, sandbox: Sandbox) -> None:
    role = 'role_arn: "arn:aws:iam::111122223333:role/Dev"'
    named = "source_identity: ann"
    providers = {
        "job": "type: web-identity, token: github",
        "person": 'type: oidc, issuer: "https://id.example", client_id: x',
        "console": "type: aws-login",
        "tool": "type: process, command: [/bin/true]",
    }
    profiles = {
        "robot": "provider: keys",
        "keyed": f"provider: keys, {role}, {named}",
        "unnamed": f"provider: keys, {role}",
        "saml": 'provider: sso, account: "444455556666", role: Admin',
        "center": 'provider: corp, account: "111122223333", role: Developer',
        "ci": f"provider: job, {role}, {named}",
        "id": f"provider: person, {role}, {named}",
        "web": "provider: console",
        "made": "provider: tool",
        "chained": f"source: saml, {role}, {named}",
        "by_keys": f"source: robot, {role}, {named}",
    }
    text = config(sandbox=sandbox, providers=providers, profiles=profiles)
    home.config(text)
    home.run("config", "check").ok()
    home.config(text + "report: {require_source_identity: true}\n")
    done = home.run("config", "check", "--output", "json")
    assert done.code == 2
    told = {one["profile"] for one in done.json["problems"]}
    assert told == {"robot", "unnamed", "saml", "center", "ci", "id", "web", "made"}
    assert all("SourceIdentity" in one["message"] for one in done.json["problems"])
    report = home.run("report", "--format", "json").ok().json
    found = {one["who"] for one in report["findings"] if one["id"] == "no-source-identity-here"}
    assert found == told


def test_a_silenced_rule_that_does_not_exist_is_told(home: Home) -> None:
    ignore = "{rule: long-term-kye-used, reason: x, until: 2999-01-01}"
    home.config(config("dev", head=f"report: {{ignore: [{ignore}]}}\n"))
    (machine,) = home.run("report", "--format", "json").ok().json["sources"]
    assert "long-term-kye-used" in machine["warnings"][0]
    assert "long-term-key-used" in machine["warnings"][0]
