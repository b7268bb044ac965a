"""`awslogin stage`: Identity Center, through the installed command, with a person at a terminal."""

from __future__ import annotations

import re
import time

import pytest

from tests.configs import PROFILES, config, identity_center
from tests.crowd import until
from tests.patient import OF_REPLIES
from tests.sandbox import Sandbox
from tests.support import Home
from tests.terminal import Terminal


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    hurry(signed_up, sandbox)
    signed_up.config(
        config(
            providers={
                "corp": identity_center(f"{sandbox.start_url}/#/"),
                "other": identity_center(sandbox.start_url),
            },
            stage='provider: corp, account: "111122223333", role: Developer, tags: {tier: dev}',
            admin='provider: corp, account: "111122223333", role: Admin, tags: {tier: dev}',
            read='provider: corp, account: "444455556666", role: ReadOnly',
            lost='provider: corp, account: "444455556666", role: Admin',
            twin='provider: other, account: "111122223333", role: Developer',
            audit=PROFILES["audit"].replace("prod", "stage") + ", tags: {tier: audit}",
        )
    )
    return signed_up


SPEED = 10


def hurry(home: Home, sandbox: Sandbox) -> None:
    """Let the waits between two polls pass faster; Identity Center knows."""
    sandbox.oidc.speed = home.changes["speed"] = SPEED


def sign_in(home: Home, sandbox: Sandbox, *words: str, deny: bool = False) -> Terminal:
    """Start a command on a terminal and confirm the code that it shows."""
    terminal = Terminal(home, *words)
    code = terminal.wait_for(r"the code (\S+)").group(1)
    sandbox.deny(code) if deny else sandbox.approve(code)
    return terminal


def test_device_flow(team: Home, sandbox: Sandbox) -> None:
    sandbox.oidc.slow_downs = 0
    done = sign_in(team, sandbox, "stage", "--output", "json").finish()
    assert done.code == 0, done.err
    session = done.json
    assert (session["account_id"], session["type"]) == ("111122223333", "identity-center")
    assert session["arn"] is None
    assert team.run("stage", "--output", "json").ok().json["from_cache"] is True


def test_one_sign_in_serves_all_roles(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    both = team.run("--tag", "tier=dev", "--output", "json").ok().json
    assert [one["profile"] for one in both] == ["stage", "admin"]
    assert len(sandbox.calls("oidc", "/device_authorization")) == 1


def test_without_a_person_it_says_so(team: Home, sandbox: Sandbox) -> None:
    error = team.run("stage", "--output", "json").error
    assert (error["code"], error["exit"]) == ("interaction_required", 4)
    assert sandbox.calls("oidc") == []


def test_the_code_is_shown_under_quiet_and_json_too(team: Home, sandbox: Sandbox) -> None:
    done = sign_in(team, sandbox, "stage", "--quiet", "--output", "json").finish().ok()
    assert done.json["profile"] == "stage"


def test_a_role_chained_from_it(team: Home, sandbox: Sandbox) -> None:
    done = sign_in(team, sandbox, "audit", "--output", "json").finish().ok()
    assert ":assumed-role/Audit/" in done.json["arn"]
    assert done.json["provider"] == "corp"
    (asked,) = sandbox.calls("sts", "AssumeRole")
    assert asked.form["ExternalId"] == "x"


def test_all_at_once_with_chains_and_failures(team: Home, sandbox: Sandbox) -> None:
    text = (team.folder / "config.yaml").read_text()
    team.config(re.sub(r"  twin: .*\n", "", text))
    done = sign_in(team, sandbox, "--all", "--output", "json").finish()
    assert done.code == 8
    assert [one["profile"] for one in done.json] == ["stage", "admin", "read", "audit"]
    assert [line for line in done.err.splitlines() if '"error"' in line] == [
        line for line in done.err.splitlines() if '"profile": "lost"' in line
    ]
    assert len(sandbox.calls("oidc", "/device_authorization")) == 1


def test_the_flow_is_no_part_of_a_sign_in(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    text = (team.folder / "config.yaml").read_text()
    team.config(text.replace('/#/"', '"').replace("corp: {", "corp: {flow: pkce, "))
    team.run("admin").ok()
    team.config(text.replace("team: payments", "team: other"), "other.yaml")
    team.run("read", env={"AWSLOGIN_USERNAME": "ben"}).ok()


def test_ctrl_c_ends_many_at_once(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    text = (team.folder / "config.yaml").read_text()
    accounts = [f"{number:012}" for number in range(60)]
    sandbox.world.people["ann"].assigned |= {account: ["Admin"] for account in accounts}
    more = [
        f'  p{account}: {{provider: corp, account: "{account}", role: Admin, tags: {{t: x}}}}\n'
        for account in accounts
    ]
    team.config(text + "".join(more))
    sandbox.fault("portal", hang=600)
    team.changes |= OF_REPLIES
    del team.changes["speed"]
    sandbox.world.portal_rate = 20
    before = len(sandbox.calls("portal"))
    terminal = Terminal(team, "--tag", "t=x")
    until(lambda: len(sandbox.calls("portal")) > before)
    start = time.monotonic()
    terminal.type("\x03")
    assert terminal.finish().code == 130
    assert time.monotonic() - start < 20


def test_denied(team: Home, sandbox: Sandbox) -> None:
    done = sign_in(team, sandbox, "stage", "--quiet", deny=True).finish()
    assert done.code == 3
    assert "denied" in done.err


def test_slow_down_is_obeyed(team: Home, sandbox: Sandbox) -> None:
    sandbox.oidc.slow_downs = 1
    terminal = sign_in(team, sandbox, "stage")
    terminal.finish().ok()
    polls = [asked.at for asked in sandbox.calls("oidc", "/token")]
    assert len(polls) == 2
    assert polls[1] - polls[0] >= 6 / SPEED


def test_a_role_that_is_not_assigned(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    error = team.run("lost", "--output", "json").error
    assert (error["code"], error["exit"]) == ("role_refused", 8)
    assert "discover" in error["hint"]


def test_good_ones_and_failures_of_several(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    done = team.run("stage", "lost", "read", "--output", "json")
    assert done.code == 8
    assert [one["profile"] for one in done.json] == ["stage", "read"]
    assert '"profile": "lost"' in done.err
    words = team.run("stage", "lost", "read").err
    (line,) = [line for line in words.splitlines() if "lost" in line]
    assert "discover corp" in line


def test_the_token_is_refreshed_without_a_browser(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    for token in sandbox.oidc.tokens.values():
        token.expires = 0
    team.run("admin").ok()
    refreshes = [a for a in sandbox.calls("oidc", "/token") if b"refresh_token" in a.body]
    assert len(refreshes) == 1


def test_a_revoked_sign_in_needs_a_person(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    sandbox.oidc.tokens.clear()
    sandbox.oidc.refresh.clear()
    assert team.run("admin", "--output", "json").error["exit"] == 4


def test_logout_ends_the_session_at_the_portal(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    team.run("logout", "stage").ok()
    team.run("logout", "stage").ok()
    assert len(sandbox.calls("portal", "/logout")) == 1
    assert sandbox.oidc.tokens == {}
    assert team.run("stage", "--output", "json").error["exit"] == 4


def test_two_people_at_one_start_url_stay_apart(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    assert team.run("twin", "--output", "json").error["exit"] == 4


def test_no_token_lies_in_plain(team: Home, sandbox: Sandbox) -> None:
    sign_in(team, sandbox, "stage").finish().ok()
    assert team.holds_in_plain(sandbox.secrets()) == []


def test_ctrl_c_ends_the_wait_at_once(team: Home, sandbox: Sandbox) -> None:
    sandbox.oidc.interval = 3000
    terminal = Terminal(team, "stage")
    terminal.wait_for(r"the code \S+")
    start = time.monotonic()
    terminal.type("\x03")
    assert terminal.finish().code == 130
    assert time.monotonic() - start < 20


def test_the_start_url_must_be_known(team: Home, sandbox: Sandbox) -> None:
    text = (team.folder / "config.yaml").read_text()
    team.config(re.sub(r"/start\b", "/strat", text))
    done = Terminal(team, "stage").finish()
    assert done.code == 2
    assert "start_url" in done.err
