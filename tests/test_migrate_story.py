"""`migrate`: a profile leaves its static keys behind, through the installed command."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.killed_migrations import STEPS, KilledMigrations
from tests.real.parts import terminal
from tests.sandbox import Sandbox
from tests.support import COMMAND, Home

CONFIG = """\
# ours
version: 1
team: payments
defaults: {region: eu-west-1}
providers:
  ci: {type: web-identity, token: {env: T}}   # the new way
  keys: {type: static}
profiles:
  dev: {provider: keys, mfa_serial: "arn:aws:iam::111122223333:mfa/bob"}  # mine
  other: {provider: ci, account: "111122223333", role: CiDeploy}
"""
AFTER = '  dev: {provider: ci, account: "111122223333", role: CiDeploy}  # mine\n'
TO = ("--to", "ci", "--role", "CiDeploy")


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    """Bob's keys serve `dev`, and the CI's role may manage them."""
    signed_up.config(CONFIG.replace(', mfa_serial: "arn:aws:iam::111122223333:mfa/bob"', ""))
    signed_up.environ["T"] = sandbox.issuer.token()
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    sandbox.world.key_managers = {"CiDeploy"}
    return signed_up


def migrate(home: Home, *words: str) -> Any:
    return home.run("migrate", "dev", *words, "--output", "json").ok().json


def text(home: Home) -> str:
    return (home.folder / "config.yaml").read_text()


def stage(home: Home) -> dict[str, Any]:
    rows = home.run("migrate", "--status", "--output", "json").ok().json
    (row,) = [row for row in rows if row["profile"] == "dev"]
    assert set(row) == {"profile", "from", "to", "stage", "since", "next", "key_last_used"}
    return dict(row)


def test_from_the_first_step_to_the_last(team: Home, sandbox: Sandbox) -> None:
    before, key, secret = text(team), sandbox.bob.key_id, sandbox.bob.secret
    assert stage(team)["stage"] == "static"
    first = migrate(team, *TO, "--quiet-days", "0")
    assert (first["done"], first["stage"], first["from"], first["to"]) == (
        "switched", "switched", "keys", "ci",
    )  # fmt: skip
    assert ":assumed-role/CiDeploy/" in first["arn"]
    assert text(team) == before.replace("  dev: {provider: keys}  # mine\n", AFTER)
    assert team.run("dev", "--output", "json").ok().json["provider"] == "ci"
    assert sandbox.world.keys[key].active
    assert migrate(team)["done"] == "deactivated"
    assert not sandbox.world.keys[key].active
    assert stage(team)["stage"] == "deactivated"
    assert migrate(team)["done"] == "deleted"
    assert sandbox.user("bob").keys == []
    assert migrate(team)["done"] == "done"
    assert team.holds_in_plain([secret]) == []
    assert team.run("migrate", "dev", "--undo").code == 2


def test_the_wait_is_kept(team: Home, sandbox: Sandbox) -> None:
    migrate(team, *TO)
    waiting = migrate(team)
    assert waiting["done"] == "waits"
    assert sandbox.bob.active
    soon = datetime.now(UTC) + timedelta(days=6, hours=23)
    assert waiting["why"] > f"until {soon:%Y-%m-%d}"


@pytest.mark.parametrize("service", ["s3", "iam"])
def test_a_key_in_use_is_not_deactivated(team: Home, sandbox: Sandbox, service: str) -> None:
    migrate(team, *TO, "--quiet-days", "0.00001")
    used = sandbox.world.now() + 60
    sandbox.world.keys[sandbox.bob.key_id].last_used = used, service, "eu-central-1"
    waiting = migrate(team)
    assert waiting["done"] == "waits"
    assert f"for {service} in eu-central-1" in waiting["why"]
    assert sandbox.bob.active
    assert stage(team)["key_last_used"] == waiting["since"]


def test_there_and_back(team: Home, sandbox: Sandbox) -> None:
    before = text(team)
    migrate(team, *TO, "--quiet-days", "0")
    migrate(team)
    assert not sandbox.bob.active
    assert migrate(team, "--undo")["done"] == "undone"
    assert text(team) == before
    assert sandbox.bob.active
    assert team.run("whoami", "dev", "--output", "json").ok().json["arn"].endswith("user/bob")
    assert stage(team)["stage"] == "static"


def test_a_colleague_takes_up_what_the_team_has_changed(team: Home, sandbox: Sandbox) -> None:
    """The config names the new provider already, and this person's key is still there."""
    path = team.folder / "config.yaml"
    path.write_text(text(team).replace("  dev: {provider: keys}  # mine\n", AFTER))
    assert stage(team)["next"] == "awslogin migrate dev"
    taken = migrate(team, "--quiet-days", "0")
    assert (taken["done"], taken["from"], taken["to"]) == ("switched", "keys", "ci")
    assert [migrate(team)["done"] for _ in range(3)] == ["deactivated", "deleted", "done"]
    assert sandbox.user("bob").keys == []


def test_lines_that_were_changed_since_are_not_lost(team: Home) -> None:
    migrate(team, *TO)
    path = team.folder / "config.yaml"
    path.write_text(text(team).replace("CiDeploy}  # mine", "CiDeploy, region: eu-west-3}"))
    done = team.run("migrate", "dev", "--undo", "--output", "json")
    assert done.error["exit"] == 2
    assert "provider: keys" in done.error["hint"]
    assert "eu-west-3" in text(team)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("dev",), 2, "which provider"),
        (("dev", "--to", "keys", "--role", "X"), 2, "static keys too"),
        (("dev", "--to", "nobody", "--role", "X"), 2, "nobody"),
        (("dev", "--to", "ci"), 2, "--role"),
        (("dev", "--to", "ci", "--role", "Nobody"), 8, ""),
        (("other", "--to", "ci"), 2, "no static keys"),
        (("dev", "--undo"), 2, "not on its way"),
    ],
)
def test_what_cannot_begin_changes_nothing(
    team: Home, words: tuple[str, ...], code: int, said: str
) -> None:
    before = text(team)
    done = team.run("migrate", *words)
    assert (done.code, said in done.err) == (code, True), done.err
    assert text(team) == before
    assert stage(team)["stage"] == "static"


def test_what_may_not_be_read_is_said(team: Home) -> None:
    remarks = migrate(team, *TO)["remarks"]
    assert any("may not ask" in remark for remark in remarks)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_person_sees_the_change_and_agrees(team: Home, answer: str) -> None:
    done = terminal.run(
        [COMMAND, "migrate", "dev", *TO], env=team.env(), answers=[("Write this.*", answer)]
    )
    assert done.code == 0, done.screen
    assert "+  dev: {provider: ci" in done.screen
    assert ":assumed-role/CiDeploy/" in done.screen
    assert (AFTER in text(team)) is (answer == "y")


def test_all_profiles_with_a_plan_first(team: Home, sandbox: Sandbox) -> None:
    rows = team.run("migrate", "--all", *TO, "--output", "json").ok().json
    assert [(row["profile"], row["done"]) for row in rows] == [("dev", "switched")]
    assert AFTER in text(team)
    assert team.run("migrate", "--all", "--output", "json").ok().json[0]["done"] == "waits"


def test_the_keys_own_user_deactivates_where_the_role_may_not(team: Home, sandbox: Sandbox) -> None:
    """It cannot delete: then an administrator's command is named, and there is a way back."""
    sandbox.world.key_managers = set()
    migrate(team, *TO, "--quiet-days", "0")
    assert migrate(team)["done"] == "deactivated"
    error = team.run("migrate", "dev", "--output", "json").error
    assert "aws iam delete-access-key --user-name bob" in error["hint"]
    assert team.run("migrate", "dev", "--undo").code != 0
    sandbox.world.key_managers = {"CiDeploy"}
    assert migrate(team, "--undo")["done"] == "undone"
    assert team.run("dev", "--output", "json").ok().json["provider"] == "keys"


@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_the_next_runs_end_it_whole(
    signed_up: Home, sandbox: Sandbox, step: str
) -> None:
    """Seeded points of all; `python -m tests.killed_migrations` takes every one."""
    machine = KilledMigrations(signed_up, sandbox)
    chance, last, kills = random.Random(step), 50, 0
    while kills < 4:
        point = chance.randint(1, last)
        if machine.killed_at(step, point, back=chance.random() < 0.5):
            kills += 1
        else:
            last = point - 1
