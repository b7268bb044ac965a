"""`region: [a, b]` through the command: the second sign-in ahead of need, and who serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.configs import config, identity_center
from tests.sandbox import Sandbox
from tests.sandbox.regions import COMPANY, FIRST, SECOND, TwoRegions
from tests.support import Home
from tests.terminal import Terminal

ROLE = 'account: "111122223333", role: Developer'


@pytest.fixture
def regions(sandbox: Sandbox, tmp_path: Path) -> Iterator[TwoRegions]:
    with TwoRegions(sandbox, tmp_path) as running:
        yield running


@pytest.fixture
def team(home: Home, regions: TwoRegions) -> Home:
    home.environ |= regions.env()
    home.changes["speed"] = 10
    for oidc in regions.oidc.values():
        oidc.speed, oidc.auto_approve = 10, "ann"
    both = f"region: [{FIRST}, {SECOND}], flow: device"
    home.config(
        config(
            "dev",
            providers={
                "corp": identity_center(regions.start_url, both),
                "company": identity_center(f"https://{COMPANY}/", "flow: device"),
            },
            stage=f"provider: corp, {ROLE}",
            admin='provider: corp, account: "111122223333", role: Admin',
            audit='source: stage, role_arn: "arn:aws:iam::777788889999:role/Audit"',
            vanity=f"provider: company, {ROLE}",
        )
    )
    return home


def test_ahead_of_need_and_who_serves(team: Home, regions: TwoRegions) -> None:
    assert f'["{FIRST}", "{SECOND}"]' in team.run("explain", "stage").ok().out
    Terminal(team, "login", "stage", "--all-regions").finish().ok()
    assert len(regions.calls(SECOND, "/device_authorization")) == 1
    regions.dead[FIRST] = "refused"
    done = team.run("admin", "--output", "json").ok()
    assert done.json["account_id"] == "111122223333"
    assert f"{FIRST} cannot be reached" in done.err
    rows = {row["profile"]: row for row in team.run("status", "--output", "json").ok().json}
    assert rows["stage"]["served_by"] == FIRST
    assert rows["admin"]["served_by"] == SECOND
    assert SECOND in team.run("status").ok().out
    assert f"sign-in: {SECOND} serves" in team.run("explain", "admin").ok().out
    told = team.run("explain", "audit", "--output", "json").ok().json
    assert told["served_by"] == FIRST
    assert team.run("explain", "dev", "--output", "json").ok().json["served_by"] is None


def test_a_logout_forgets_who_served(team: Home, regions: TwoRegions) -> None:
    Terminal(team, "stage", "--all-regions").finish().ok()
    regions.dead[FIRST] = "refused"
    team.run("admin").ok()
    assert team.run("logout", "stage").code == 5
    (row,) = team.run("status", "--output", "json").ok().json
    assert (row["profile"], row.get("served_by")) == ("admin", None)
    assert team.run("stage", "--output", "json").error["exit"] == 4


def test_one_that_is_dead_is_told_and_the_other_signed_in(team: Home, regions: TwoRegions) -> None:
    regions.dead[SECOND] = "tls"
    done = Terminal(team, "login", "stage", "--all-regions", "--output", "json").finish()
    assert done.code == 5
    assert f"{SECOND}: " in done.err
    assert done.out == ""
    team.run("stage").ok()
    regions.heal(SECOND)
    Terminal(team, "login", "stage", "admin", "--all-regions").finish().ok()
    assert len(regions.oidc[FIRST].tokens) == len(regions.oidc[SECOND].tokens) == 1


def test_nobody_is_there_ahead_of_need(team: Home) -> None:
    assert team.run("login", "stage", "--all-regions", "--output", "json").error["exit"] == 4


def test_other_kinds_have_one_place(team: Home) -> None:
    error = team.run("login", "dev", "--all-regions", "--output", "json").error
    assert (error["code"], error["exit"]) == ("usage", 2)
    assert "Identity Center" in error["hint"]


def test_a_company_address(team: Home, regions: TwoRegions) -> None:
    regions.redirect(COMPANY, regions.oidc[SECOND].start_url)
    assert "serves" not in team.run("explain", "vanity").ok().out
    Terminal(team, "vanity").finish().ok()
    assert f"sign-in: {SECOND} serves" in team.run("explain", "vanity").ok().out
    (row,) = team.run("status", "--output", "json").ok().json
    assert row["served_by"] == SECOND
    assert team.run("vanity", "--force").ok()
    regions.redirect(COMPANY, "https://evil.example/start")
    team.run("logout", "vanity").ok()
    done = Terminal(team, "vanity").finish()
    assert done.code == 2
    assert "evil.example" in done.err
