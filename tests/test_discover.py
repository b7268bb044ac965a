"""`awslogin discover`, through the installed command."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from tests.sandbox import DEV, PROD, Sandbox
from tests.support import PATIENCE, Home
from tests.terminal import Terminal
from tests.test_identity_center_story import hurry, sign_in

CONFIG = """\
version: 1   # the team's
defaults: {{region: eu-west-1}}
providers:
  corp: {{type: identity-center, start_url: "{start_url}", region: eu-west-1}}
  sso: {{type: saml, idp: form, url: "{form_idp}", username: ann}}
  keys: {{type: static}}
profiles:
  stage: {{provider: corp, account: "111122223333", role: Developer}}
"""


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(CONFIG.format(start_url=sandbox.start_url, form_idp=sandbox.idp.url))
    hurry(signed_up, sandbox)
    sign_in(signed_up, sandbox, "stage").finish().ok()
    return signed_up


def config_of(home: Home) -> Path:
    return Path(home.environ["AWSLOGIN_CONFIG"])


def names_in(path: Path) -> list[str]:
    return list(yaml.safe_load(path.read_text())["profiles"])


def test_lists_accounts_and_roles(team: Home, sandbox: Sandbox) -> None:
    sandbox.world.page_size = 1
    sandbox.world.people["ann"].assigned["000000000001"] = []
    assert team.run("discover", "corp", "--output", "json").ok().json == [
        {"account_id": "000000000001", "account_name": "000000000001", "roles": []},
        {"account_id": DEV, "account_name": "payments-dev", "roles": ["Admin", "Developer"]},
        {"account_id": PROD, "account_name": "payments-prod", "roles": ["ReadOnly"]},
    ]
    text = team.run("discover", "corp").ok().out
    assert "payments-dev" in text
    assert "ReadOnly" in text


def test_lists_what_an_assertion_holds(team: Home, sandbox: Sandbox) -> None:
    env = {"AWSLOGIN_PASSWORD": sandbox.world.people["ann"].password}
    found = team.run("discover", "sso", "--output", "json", env=env).ok().json
    assert {one["account_id"]: one["roles"] for one in found} == {
        DEV: ["ReadOnly"],
        PROD: ["Admin", "ReadOnly"],
    }
    team.run("discover", "sso", "--write", env=env).ok()
    name = f"{PROD}-Admin"
    assert name in names_in(config_of(team))
    assert team.run(name, "--output", "json").ok().json["account_id"] == PROD


def test_keys_and_names_that_are_not_there(team: Home) -> None:
    error = team.run("discover", "keys", "--output", "json").error
    assert error["exit"] == 2
    error = team.run("discover", "crop", "--output", "json").error
    assert (error["exit"], "corp" in error["hint"]) == (2, True)
    assert team.run("discover", "corp", "--prune").code == 2
    assert team.run("discover", "corp", "--write", "--template", "{x}").code == 2


def test_without_a_person_it_says_so(team: Home) -> None:
    team.run("logout", "stage").ok()
    assert team.run("discover", "corp", "--output", "json").error["exit"] == 4


def test_writes_profiles_that_work(team: Home, sandbox: Sandbox) -> None:
    path = config_of(team)
    path.chmod(0o640)
    before = path.read_text()
    done = team.run("discover", "corp", "--write").ok()
    assert "+  payments-prod-ReadOnly:" in done.err
    assert before in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    team.run("payments-prod-ReadOnly").ok()
    team.run("config", "check").ok()
    after = path.read_text()
    assert team.run("discover", "corp", "--write", "--output", "json").ok().json[0]["roles"]
    assert path.read_text() == after
    sandbox.world.accounts[DEV] = "renamed"
    del sandbox.world.people["ann"].assigned[PROD]
    team.run("discover", "corp", "--write", "--prune").ok()
    assert names_in(path) == ["stage", "payments-dev-Admin", "payments-dev-Developer"]


def test_asks_on_a_terminal(team: Home) -> None:
    path = config_of(team)
    before = path.read_text()
    terminal = Terminal(team, "discover", "corp", "--write", "--quiet")
    terminal.wait_for(r"\+  payments-dev-Admin:")
    terminal.answer(r"Write this\?", "n")
    terminal.finish().ok()
    assert path.read_text() == before
    terminal = Terminal(team, "discover", "corp", "--write")
    terminal.answer(r"Write this\?", "y")
    terminal.finish().ok()
    assert "payments-dev-Admin" in names_in(path)
    path.write_text(before)
    terminal = Terminal(team, "discover", "corp", "--write", "--yes", "--template", "{role}")
    terminal.finish().ok()
    assert "ReadOnly" in names_in(path)


def test_a_trusted_file_stays_trusted(team: Home) -> None:
    path = team.work / "awslogin.yaml"
    path.write_text(config_of(team).read_text())
    found = {"AWSLOGIN_CONFIG": None}
    assert team.run("discover", "corp", "--write", env=found).code == 4
    team.run("config", "trust", env=found).ok()
    team.run("discover", "corp", "--write", env=found).ok()
    team.run("payments-dev-Admin", env=found).ok()
    path.write_text(path.read_text() + "# changed\n")
    assert team.run("payments-dev-Admin", env=found).code == 4


def test_a_file_that_leaves_no_place_is_not_touched(team: Home) -> None:
    path = config_of(team)
    text = path.read_text().replace("profiles:\n  stage", "profiles: {stage") + "  }\n"
    path.write_text(text)
    error = team.run("discover", "corp", "--write", "--output", "json").error
    assert error["exit"] == 2
    assert str(path) in error["message"]
    assert path.read_text() == text


def test_a_throttling_portal_is_given_its_pauses(team: Home, sandbox: Sandbox) -> None:
    assigned = sandbox.world.people["ann"].assigned
    assigned |= {f"{number:012}": ["Admin"] for number in range(45)}
    sandbox.fault("portal", status=429, headers={"Retry-After": "1"}, times=3)
    found = team.run("discover", "corp", "--output", "json").ok()
    assert len(found.json) == 47
    assert found.err == ""


def test_two_processes_never_spend_one_refresh_token_twice(team: Home, sandbox: Sandbox) -> None:
    for token in sandbox.oidc.tokens.values():
        token.expires = 0
    commands = [
        ("discover", "corp"),
        ("stage", "--force"),
        ("discover", "corp", "--output", "json"),
    ]
    running = [team.start(*words) for words in commands * 2]
    ends = [(process.communicate(timeout=PATIENCE)[1], process.returncode) for process in running]
    assert [code for _, code in ends] == [0] * 6, ends
    refreshes = [a for a in sandbox.calls("oidc", "/token") if b"refresh_token" in a.body]
    spent = [asked.json["refreshToken"] for asked in refreshes]
    assert len(spent) == len(set(spent)) == 1
