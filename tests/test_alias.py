"""A profile with a `source` and no role: the source's session under another name and region."""

from __future__ import annotations

import pytest

from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import Home


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(
        config(
            "dev", "deploy", "prod", "audit", sandbox=sandbox,
            profiles={
                "dev-us": "source: dev, region: us-east-1",
                "deploy-us": "source: deploy, region: us-east-1, tags: {tier: far}",
                "prod-us": "source: prod, region: us-east-1",
                "audit-us": "source: audit, region: us-east-1",
            },
        )
    )  # fmt: skip
    signed_up.environ["AWSLOGIN_PASSWORD"] = sandbox.world.people["ann"].password
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


@pytest.mark.parametrize("name", ["dev", "deploy", "prod", "audit"])
def test_an_alias_is_its_source_in_another_region(team: Home, sandbox: Sandbox, name: str) -> None:
    source = team.run(name, "--output", "json").ok().json
    asked = len(sandbox.calls("sts", "AssumeRole"))
    alias = team.run(f"{name}-us", "--output", "json").ok().json
    assert (alias["profile"], alias["region"]) == (f"{name}-us", "us-east-1")
    assert alias["arn"] == source["arn"]
    assert alias["account_id"] == source["account_id"]
    assert len(sandbox.calls("sts", "AssumeRole")) <= asked + 1  # no role on top of the role
    shown = team.run("exec", f"{name}-us", "--", "sh", "-c", "echo $AWS_REGION").ok().out
    assert shown == "us-east-1\n"


def test_every_command_takes_it(team: Home) -> None:
    team.run("config", "check").ok()
    rows = {row["profile"]: row for row in team.run("list", "--output", "json").ok().json}
    assert (rows["deploy-us"]["role"], rows["deploy-us"]["region"]) == ("Deploy", "us-east-1")
    assert rows["deploy-us"]["tags"] == {"tier": "far"}
    team.run("deploy-us").ok()
    kept = [row["profile"] for row in team.run("status", "--output", "json").ok().json]
    assert "deploy-us" in kept
    team.run("explain", "prod-us").ok()
    team.run("setup").ok()
    assert "creds prod-us" in (team.folder / ".aws" / "config").read_text()
    team.run("logout", "deploy-us").ok()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("source: dev, region: us-wst-1", "us-wst-1"),
        ("source: prod, region: cn-north-1", "cn-north-1"),
        ("source: prod, external_id: x", "takes no `external_id`"),
        ('source: prod, account: "111122223333"', "takes no `account`"),
        ("source: prod, duration: 13h", "hours"),
        ("source: alias", "circle"),
    ],
)
def test_what_an_alias_cannot_be(team: Home, sandbox: Sandbox, entry: str, words: str) -> None:
    team.config(config("dev", "prod", sandbox=sandbox, profiles={"alias": entry}))
    done = team.run("config", "check")
    assert done.code == 2
    assert words in done.out
