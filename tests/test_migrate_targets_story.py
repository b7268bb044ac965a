"""`migrate` to every kind of provider, and for all of a team's profiles, through the command."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.configs import form, identity_center
from tests.sandbox import DEV, Sandbox
from tests.sandbox.openid import CLIENT
from tests.support import PATIENCE, Home, Result
from tests.terminal import Terminal
from tests.test_identity_center_story import hurry

PROFILES = f"""\
profiles:
  # bob's
  dev: {{provider: keys}}
  boxed:
    provider: keys     # with a device
    mfa_serial: "arn:aws:iam::{DEV}:mfa/ann"
    region: eu-central-1
  hop: {{source: dev, role_arn: "arn:aws:iam::{DEV}:role/Deploy"}}
  stage: {{provider: corp, account: "{DEV}", role: Admin}}
"""


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    hurry(signed_up, sandbox)
    providers = {
        "keys": "type: static",
        "corp": identity_center(sandbox.start_url, "region: eu-west-1, flow: device"),
        "sso": form(sandbox.idp.url),
        "people": f'type: oidc, issuer: "{sandbox.openid.url}", client_id: {CLIENT}, flow: device',
        "console": "type: aws-login, flow: code",
    }
    entries = "".join(f"  {name}: {{{text}}}\n" for name, text in providers.items())
    head = "version: 1\nteam: payments\ndefaults: {region: eu-west-1}\nproviders:\n"
    signed_up.config(head + entries + PROFILES)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    signed_up.environ["AWSLOGIN_PASSWORD_SSO"] = sandbox.world.people["ann"].password
    sandbox.world.key_managers = {"Admin", "ReadOnly", "People", reserved_role("Developer")}
    return signed_up


def by_code(home: Home, sandbox: Sandbox, *words: str) -> Result:
    """Confirm the code that a device flow shows, at Identity Center or the OpenID provider."""
    terminal = Terminal(home, *words)
    code = terminal.wait_for(r"the code (\S+)").group(1)
    if code in sandbox.openid._user_codes:
        sandbox.openid.confirm(code, "ann")
    else:
        sandbox.approve(code)
    return terminal.finish()


def by_pasting(home: Home, sandbox: Sandbox, *words: str) -> Result:
    """Paste what the console's sign-in shows."""
    terminal = Terminal(home, *words)
    page = terminal.wait_for(r"(http://\S+/v1/authorize\S+)")[1]
    shown = re.search(r"authorization>([^<]+)", requests.get(page, timeout=PATIENCE).text)
    assert shown
    terminal.answer("Authorization code", shown[1])
    return terminal.finish()


def without_a_person(home: Home, sandbox: Sandbox, *words: str) -> Result:
    return home.run(*words)


def reserved_role(permission_set: str) -> str:
    """The role that Identity Center makes of a permission set."""
    return f"AWSReservedSSO_{permission_set}_0123456789abcdef"


def text(home: Home) -> str:
    return (home.folder / "config.yaml").read_text()


TARGETS: dict[str, tuple[Callable[..., Result], tuple[str, ...], str]] = {
    "corp": (by_code, ("--role", "Developer"), f'account: "{DEV}", role: Developer'),
    "sso": (without_a_person, (), f'account: "{DEV}", role: ReadOnly'),
    "people": (by_code, ("--role", "People"), f'account: "{DEV}", role: People'),
    "console": (by_pasting, (), f'account: "{DEV}"'),
}


@pytest.mark.parametrize("target", TARGETS)
def test_each_kind_of_target(team: Home, sandbox: Sandbox, target: str) -> None:
    """Proved, switched, deactivated, undone, deleted: one sign-in serves all of it."""
    sign_in, more, new = TARGETS[target]
    sandbox.console_login.arn = f"arn:aws:sts::{DEV}:assumed-role/Admin/ann"
    before = text(team)
    words = ("migrate", "dev", "--to", target, *more, "--quiet-days", "0", "--output", "json")
    first = sign_in(team, sandbox, *words, "--yes").ok().json
    assert (first["done"], first["to"]) == ("switched", target)
    assert text(team) == before.replace(
        "dev: {provider: keys}", f"dev: {{provider: {target}, {new}}}"
    )
    assert any("hop takes its role" in remark for remark in first["remarks"])
    assert team.run("dev", "--output", "json").ok().json["provider"] == target

    def step(*options: str) -> Any:
        return team.run("migrate", "dev", *options, "--output", "json").ok().json["done"]

    assert step() == "deactivated"
    assert not sandbox.bob.active
    assert step("--undo") == "undone"
    assert sandbox.bob.active
    assert text(team) == before
    team.run(*words).ok()
    assert [step(), step(), step()] == ["deactivated", "deleted", "done"]
    assert sandbox.user("bob").keys == []
    assert team.run("migrate", "dev", "--undo").code == 2
    assert team.holds_in_plain(sandbox.secrets()) == []


def test_a_role_is_chosen_among_those_of_the_assertion(team: Home, sandbox: Sandbox) -> None:
    saml = f"arn:aws:iam::{DEV}:saml-provider/corp"
    auditor = sandbox.world.add_role(f"arn:aws:iam::{DEV}:role/team/Auditor", saml)
    sandbox.world.people["ann"].roles.append(auditor.arn)
    before = text(team)
    error = team.run("migrate", "dev", "--to", "sso", "--output", "json").error
    assert (error["exit"], error["hint"]) == (2, "name one: `--role ROLE`")
    assert "ReadOnly" in error["message"]
    assert "team/Auditor" in error["message"]
    assert text(team) == before
    terminal = Terminal(team, "migrate", "dev", "--to", "sso", "--yes")
    terminal.answer("Number, or part", "Audit")
    terminal.finish().ok()
    assert f'dev: {{provider: sso, account: "{DEV}", role: team/Auditor}}' in text(team)
    passwords = [asked for asked in sandbox.calls("idp") if b"hunter2" in asked.body]
    assert len(passwords) == 1


def test_a_role_that_the_assertion_does_not_hold(team: Home, sandbox: Sandbox) -> None:
    before = text(team)
    error = team.run("migrate", "dev", "--to", "sso", "--role", "Admin", "--output", "json").error
    assert error["exit"] == 8
    sandbox.world.people["ann"].roles = [
        arn for arn in sandbox.world.people["ann"].roles if f"::{DEV}:" not in arn
    ]
    team.run("logout", "--all").ok()
    error = team.run("migrate", "dev", "--to", "sso", "--output", "json").error
    assert (error["exit"], "discover sso" in error["hint"]) == (8, True)
    assert text(team) == before


def test_a_console_of_another_account(team: Home, sandbox: Sandbox) -> None:
    before = text(team)
    done = by_pasting(team, sandbox, "migrate", "dev", "--to", "console", "--output", "json")
    assert done.error["exit"] == 8
    assert text(team) == before


def test_all_profiles_with_the_plan_first(team: Home, sandbox: Sandbox) -> None:
    """Two people's keys in one config, a chain and a profile that never had keys."""
    team.run("add", "boxed", "--stdin", stdin=sandbox.ann.json).ok()
    before = text(team)
    team.environ["AWSLOGIN_MFA_CODE"] = sandbox.code("ann")
    words = ("migrate", "--all", "--to", "corp", "--role", "Developer", "--quiet-days", "0")
    terminal = Terminal(team, *words)
    plan = terminal.wait_for(r"(?s)(dev: from static keys to corp.*)Write this").group(1)
    assert "boxed: from static keys to corp" in plan
    assert text(team) == before
    assert sandbox.requests == []
    terminal.type("y\n")
    sandbox.approve(terminal.wait_for(r"the code (\S+)").group(1))
    assert terminal.finish().ok().out.count("signs in by corp now") == 2
    new = f'account: "{DEV}", role: Developer'
    assert f"dev: {{provider: corp, {new}}}" in text(team)
    assert f'provider: corp     # with a device\n    account: "{DEV}"\n    role: Developer' in text(
        team
    )
    assert "mfa_serial" not in text(team)
    assert [(row["profile"], row["stage"]) for row in status(team)] == [
        ("dev", "switched"), ("boxed", "switched"), ("hop", "keyless"), ("stage", "keyless"),
    ]  # fmt: skip
    rows = team.run("migrate", "--all", "--output", "json").ok().json
    assert [row["done"] for row in rows] == ["deactivated", "deactivated"]
    undone = team.run("migrate", "--all", "--undo", "--output", "json").ok().json
    assert [row["done"] for row in undone] == ["undone", "undone"]
    assert text(team) == before
    assert sandbox.ann.active
    assert sandbox.bob.active


def test_one_of_all_that_fails_stops_no_other(team: Home, sandbox: Sandbox) -> None:
    team.run("add", "boxed", "--stdin", stdin=sandbox.ann.json).ok()
    del sandbox.world.keys[sandbox.ann.key_id]
    done = team.run("migrate", "--all", "--to", "sso", "--role", "ReadOnly", "--output", "json")
    assert [row["profile"] for row in done.json] == ["dev"]
    assert done.code == 3
    assert '"profile": "boxed"' in done.err
    assert [row["stage"] for row in status(team)] == ["switched", "static", "keyless", "keyless"]


def test_status_opens_no_keychain_and_asks_nobody(team: Home, sandbox: Sandbox) -> None:
    team.run("migrate", "dev", "--to", "sso").ok()
    asked = len(sandbox.requests)
    locked = {"AWSLOGIN_KEYRING": "none", "AWSLOGIN_PASSPHRASE": None}
    rows = team.run("migrate", "--status", "--output", "json", env=locked).ok().json
    assert [row["profile"] for row in rows] == ["dev", "boxed", "hop", "stage"]
    assert len(sandbox.requests) == asked
    assert team.run("migrate", "--status").ok().out.splitlines()[1].startswith("dev")


def status(home: Home) -> Any:
    return home.run("migrate", "--status", "--output", "json").ok().json


def test_undo_from_every_state(team: Home) -> None:
    assert "not on its way" in team.run("migrate", "dev", "--undo").err
    before = text(team)
    for taken in (1, 2):
        for _ in range(taken):
            team.run("migrate", "dev", "--to", "sso", "--quiet-days", "0").ok()
        team.run("migrate", "dev", "--undo").ok()
        assert text(team) == before
        assert status(team)[0]["stage"] == "static"
    for _ in range(3):
        team.run("migrate", "dev", "--to", "sso", "--quiet-days", "0").ok()
    error = team.run("migrate", "dev", "--undo", "--output", "json").error
    assert (error["exit"], "awslogin add dev" in error["hint"]) == (2, True)
