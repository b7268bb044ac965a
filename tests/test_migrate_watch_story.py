"""`migrate` watches a key: whose use it is, also where the key alone may ask about itself."""

from __future__ import annotations

import json
import signal
from datetime import timedelta

import pytest

from broker.ports.clock import from_text, to_text
from tests.sandbox import Sandbox
from tests.support import Home
from tests.test_migrate_story import AFTER, TO, migrate, stage, team, text

__all__ = ["team"]

DAY = 24 * 3600.0
HOUR = 3600.0


def days_pass(home: Home, sandbox: Sandbox, days: float) -> None:
    """All that was noted moves back: for the migration and for AWS, as if time had passed."""
    (path,) = (home.folder / "awslogin").rglob("migrations/*.json")
    record = json.loads(path.read_text())
    for name in ("since", "asked_at", "answered_at", "key_last_used"):
        if record[name]:
            record[name] = to_text(from_text(record[name]) - timedelta(days=days))
    path.write_text(json.dumps(record))
    key = sandbox.bob
    key.uses = [(at - days * DAY, service, region) for at, service, region in key.uses]


def used(sandbox: Sandbox, seconds_ago: float = HOUR, service: str = "s3") -> None:
    """Somebody else signs with bob's key."""
    sandbox.bob.uses.append((sandbox.world.now() - seconds_ago, service, "eu-central-1"))
    sandbox.bob.uses.sort()


@pytest.fixture
def alone(team: Home, sandbox: Sandbox) -> Home:
    """The role may not ask IAM: bob's own key must. IAM notes uses after a quarter of an hour."""
    sandbox.world.key_managers = set()
    sandbox.world.uses_noted_after = HOUR / 4
    migrate(team, *TO)
    return team


def questions(sandbox: Sandbox) -> int:
    """How often bob's key itself has asked when it was used."""
    key_id = sandbox.bob.key_id
    return sum(
        f"Credential={key_id}/" in asked.headers["authorization"]
        for asked in sandbox.calls("iam", "GetAccessKeyLastUsed")
    )


def test_the_key_asks_nothing_during_its_wait(alone: Home, sandbox: Sandbox) -> None:
    """A question would be its last use, and hide another's."""
    for _ in range(3):
        days_pass(alone, sandbox, 2)
        waiting = migrate(alone)
        assert waiting["done"] == "waits"
        assert "counts as a use" in waiting["why"]
    assert questions(sandbox) == 0
    days_pass(alone, sandbox, 2)
    assert migrate(alone)["done"] == "deactivated"
    assert questions(sandbox) == 1


@pytest.mark.parametrize("service", ["s3", "iam", "sts"])
@pytest.mark.parametrize("days_ago", [1, 6.9])
def test_a_use_by_somebody_else(
    alone: Home, sandbox: Sandbox, service: str, days_ago: float
) -> None:
    days_pass(alone, sandbox, 8)
    used(sandbox, days_ago * DAY, service)
    waiting = migrate(alone)
    assert waiting["done"] == "waits"
    assert f"for {service} in eu-central-1" in waiting["why"]
    assert sandbox.bob.active
    assert stage(alone)["key_last_used"] < waiting["since"]  # what came before our question is past
    days_pass(alone, sandbox, 8)
    assert migrate(alone)["done"] == "deactivated"


def test_a_use_after_each_wait(alone: Home, sandbox: Sandbox) -> None:
    for _ in range(3):
        days_pass(alone, sandbox, 8)
        used(sandbox)
        assert "for s3" in migrate(alone)["why"]
    assert sandbox.bob.active


def test_where_uses_are_noted_at_once_it_cannot_be_known(alone: Home, sandbox: Sandbox) -> None:
    """The key's question hides what was before: it is not deactivated, unless told so."""
    sandbox.world.uses_noted_after = 0
    for _ in range(2):
        days_pass(alone, sandbox, 8)
        used(sandbox)
        waiting = migrate(alone)
        assert waiting["done"] == "waits"
        assert "cannot be known" in waiting["why"]
        assert "iam:GetAccessKeyLastUsed" in waiting["why"]
        assert sandbox.bob.active
    days_pass(alone, sandbox, 8)
    assert migrate(alone, "--unwatched")["done"] == "deactivated"


def test_unwatched_does_not_pass_over_a_use_that_is_known(alone: Home, sandbox: Sandbox) -> None:
    days_pass(alone, sandbox, 8)
    used(sandbox)
    assert migrate(alone, "--unwatched")["done"] == "waits"
    assert sandbox.bob.active


def test_a_question_of_a_killed_run_hides_what_was_before(alone: Home, sandbox: Sandbox) -> None:
    days_pass(alone, sandbox, 8)
    used(sandbox)
    point = 1
    while not questions(sandbox):  # the first point behind the question: its answer is lost
        alone.changes["killed_at_step"] = point
        assert alone.run("migrate", "dev").code == -signal.SIGKILL
        point += 1
    del alone.changes["killed_at_step"]
    days_pass(alone, sandbox, 1)
    waiting = migrate(alone)
    assert "a run that was killed" in waiting["why"]
    assert sandbox.bob.active
    days_pass(alone, sandbox, 8)
    assert migrate(alone)["done"] == "deactivated"


def test_a_deactivation_that_was_killed_ends_though_the_key_signs_no_more(
    alone: Home, sandbox: Sandbox
) -> None:
    days_pass(alone, sandbox, 8)
    point = 1
    while sandbox.bob.active:
        alone.changes["killed_at_step"] = point
        assert alone.run("migrate", "dev", "--unwatched").code == -signal.SIGKILL
        point += 1
    del alone.changes["killed_at_step"]
    assert stage(alone)["stage"] == "switched"
    assert migrate(alone)["done"] == "deactivated"
    assert stage(alone)["stage"] == "deactivated"


def test_without_a_session_of_the_new_provider_the_key_stays(alone: Home, sandbox: Sandbox) -> None:
    days_pass(alone, sandbox, 8)
    alone.run("logout", "--all").ok()
    alone.environ["T"] = "not a token"
    assert alone.run("migrate", "dev").code != 0
    assert sandbox.bob.active


def test_another_profile_with_the_same_key_is_not_cut_off(team: Home, sandbox: Sandbox) -> None:
    team.config(f"{text(team)}  twin: {{provider: keys}}\n")
    team.run("add", "twin", "--stdin", stdin=sandbox.bob.json).ok()
    first = migrate(team, *TO, "--quiet-days", "0")
    assert any("twin signs in with the same key" in remark for remark in first["remarks"])
    waiting = migrate(team)
    assert waiting["done"] == "waits"
    assert "awslogin migrate twin --to ci" in waiting["why"]
    team.run("migrate", "twin", *TO, "--quiet-days", "0").ok()
    steps = [migrate(team)["done"] for _ in range(2)]  # twin's proof may count as a use of the key
    assert "deactivated" in steps
    assert not any(sandbox.world.keys[key].active for key in sandbox.user("bob").keys)


def test_a_config_that_was_put_back_by_hand(team: Home, sandbox: Sandbox) -> None:
    """Its key is the profile's sign-in again: nothing takes it away."""
    before = text(team)
    migrate(team, *TO, "--quiet-days", "0")
    path = team.folder / "config.yaml"
    path.write_text(before)
    error = team.run("migrate", "dev", "--output", "json").error
    assert error["exit"] == 2
    assert "--undo" in error["hint"]
    assert sandbox.bob.active
    path.write_text(before.replace("  dev: {provider: keys}  # mine\n", AFTER))
    assert migrate(team)["done"] == "deactivated"
    path.write_text(before)
    assert team.run("migrate", "dev").code == 2
    assert migrate(team, "--undo")["done"] == "undone"
    assert sandbox.bob.active
    assert team.run("whoami", "dev", "--output", "json").ok().json["arn"].endswith("user/bob")
