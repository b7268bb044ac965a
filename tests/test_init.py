"""`init`: from nothing, or from a team's repository, to a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.configs import config
from tests.repositories import Repository
from tests.sandbox import PROD, Sandbox
from tests.support import Home
from tests.terminal import Terminal


@pytest.fixture
def fresh(signed_up: Home) -> Home:
    """A machine without any config."""
    signed_up.environ.pop("AWSLOGIN_CONFIG", None)
    return signed_up


def own(home: Home) -> Path:
    return home.folder / "awslogin" / "config.yaml"


def test_nobody_is_asked_without_a_terminal(fresh: Home) -> None:
    error = fresh.run("init", "--output", "json").error
    assert error["exit"] == 4
    assert "--address" in error["hint"]
    assert not own(fresh).exists()


def test_a_teams_repository(fresh: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "team")
    text = config("prod", sandbox=sandbox, head="team: payments\ndefault_profile: prod\n")
    commit = repository.commit(payments=text)
    password = {"AWSLOGIN_PASSWORD": sandbox.world.people["ann"].password}
    done = fresh.run("init", "--from", f"{repository.url}@main#payments.yaml", env=password).ok()
    assert "prod" in done.out
    written = own(fresh).read_text()
    assert written == (
        f'version: 1\nextends:\n  - "{repository.at(commit, "payments.yaml")}"  # main\n'
    )
    assert fresh.run("prod", "--output", "json").ok().json["from_cache"]
    again = fresh.run("init", "--from", f"{repository.url}@main#payments.yaml")
    assert again.code == 2
    assert "already" in again.err


def test_a_path(fresh: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text(config("dev", sandbox=sandbox))
    fresh.run("init", "--from", str(tmp_path / "team.yaml"), "--no-login", "--setup").ok()
    assert "creds dev" in (fresh.folder / ".aws" / "config").read_text()


def test_a_clone_with_its_own_config_needs_init_alone(fresh: Home, sandbox: Sandbox) -> None:
    head = "default_profile: prod\n"
    (fresh.work / "awslogin.yaml").write_text(config("prod", sandbox=sandbox, head=head))
    password = {"AWSLOGIN_PASSWORD": sandbox.world.people["ann"].password}
    refused = fresh.run("init", env=password)
    assert refused.code == 4
    assert "trust" in refused.err
    fresh.run("init", "--yes", env=password).ok()
    assert fresh.run("prod", "--output", "json").ok().json["account_id"] == PROD


def test_options_make_a_first_config(fresh: Home, sandbox: Sandbox) -> None:
    role = ("--account", PROD, "--role", "Admin", "--profile", "prod")
    fresh.run(
        "init", "--address", sandbox.idp.url, "--region", "eu-west-1", *role, "--no-login"
    ).ok()
    (row,) = fresh.run("list", "--output", "json").ok().json
    assert (row["profile"], row["type"], row["account_id"]) == ("prod", "saml", PROD)


def test_an_okta_organization_is_recognised(fresh: Home, sandbox: Sandbox) -> None:
    options = ("--region", "eu-west-1", "--account", PROD, "--role", "Admin", "--no-login")
    fresh.run("init", "--address", f"{sandbox.okta.url}/home/amazon_aws/0oa1/272", *options).ok()
    assert "idp: okta" in own(fresh).read_text()


def test_keys_asked_on_a_terminal(fresh: Home, sandbox: Sandbox) -> None:
    terminal = Terminal(fresh, "init", "--no-setup")
    terminal.answer("sign-in page", "keys")
    terminal.answer("Region", "eu-west-1")
    terminal.answer("Trust", "y")
    terminal.answer("Access key id", sandbox.bob.key_id)
    terminal.answer("Secret", sandbox.bob.secret)
    terminal.finish().ok()
    assert fresh.run("dev", "--output", "json").ok().json["access_key_id"].startswith("ASIA")


def test_an_end_at_a_question_leaves_nothing(fresh: Home) -> None:
    terminal = Terminal(fresh, "init")
    terminal.wait_for("sign-in page")
    terminal.type("\x04")
    assert terminal.finish().code == 130
    assert not own(fresh).exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--from", "/no/such/file.yaml"),
        ("--from", "git+https://ann:secret@git.example.com/a#x.yaml"),
        ("--address", "http://login.corp.example", "--region", "eu-west-1"),
        ("--address", "keys", "--region", "nowhere"),
        ("--address", "keys", "--region", "eu-west-1", "--profile", "bad name"),
    ],
)
def test_bad_input_leaves_nothing(fresh: Home, words: tuple[str, ...]) -> None:
    done = fresh.run("init", *words)
    assert done.code in {2, 6}, done.err
    assert not own(fresh).exists()
