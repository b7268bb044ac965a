"""`config`, `explain`, `list` and trust, through the command."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.support import Home
from tests.terminal import Terminal

CONFIG = """\
version: 1
team: payments
defaults: {region: eu-west-1}
providers:
  keys: {type: static}
  ci: {type: web-identity, token: {env: AWS_OIDC_TOKEN}}
  sso: {type: saml, idp: form, url: https://sso.corp.example/}
profiles:
  dev: {provider: keys, tags: {tier: dev}}
  prod:
    provider: [ci, sso]
    role_arn: arn:aws:iam::444455556666:role/Admin
  bad: {provider: kyes}
"""


@pytest.fixture
def repo(home: Home) -> Home:
    """A repository with a config that nobody has trusted yet."""
    (home.work / "awslogin.yaml").write_text(CONFIG)
    return home


def test_trust_by_content(repo: Home) -> None:
    refused = repo.run("dev", "--output", "json").error
    assert (refused["code"], refused["exit"]) == ("interaction_required", 4)
    assert "trust" in refused["message"]
    assert "awslogin config trust" in refused["hint"]
    repo.run("config", "trust").ok()
    assert repo.run("dev").code == 7
    file = repo.work / "awslogin.yaml"
    file.write_text(CONFIG + "# changed\n")
    assert repo.run("dev").code == 4
    file.write_text(CONFIG)
    assert repo.run("dev").code == 7
    repo.run("config", "trust", "--revoke").ok()
    assert repo.run("dev").code == 4


@pytest.mark.parametrize(
    "words",
    [
        ("dev",), ("creds", "dev"), ("env", "dev"), ("exec", "dev", "--", "true"),
        ("whoami", "dev"), ("shell", "dev"), ("logout", "dev"), ("logout", "--all"),
        ("add", "dev", "--stdin"), ("remove", "dev"), ("setup",), ("login", "--all"),
    ],
)  # fmt: skip
def test_every_command_that_acts_needs_trust(repo: Home, words: tuple[str, ...]) -> None:
    done = repo.run(*words, stdin='{"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"x"}')
    assert done.code == 4
    assert "trust" in done.err
    assert not (repo.folder / ".aws").exists()


def test_an_explicit_file_is_trusted_for_this_call(repo: Home) -> None:
    assert repo.run("--config", "awslogin.yaml", "dev").code == 7
    assert repo.run("dev").code == 4


def test_trust_on_a_terminal_shows_the_file_and_asks(repo: Home) -> None:
    terminal = Terminal(repo, "config", "trust")
    terminal.wait_for("provider: kyes")
    terminal.answer("as it is shown", "n")
    assert "not trusted" in terminal.finish().ok().out
    assert repo.run("dev").code == 4


def test_check_lists_all(repo: Home) -> None:
    done = repo.run("config", "check")
    assert done.code == 2
    assert f"{repo.work / 'awslogin.yaml'}:13:" in done.out
    assert "did you mean `keys`" in done.out
    report = repo.run("config", "check", "--output", "json").json
    assert (report["ok"], report["problems"][0]["line"]) == (False, 13)


def test_explain_names_file_and_line(repo: Home) -> None:
    path = str(repo.work / "awslogin.yaml")
    told = repo.run("explain", "prod", "--output", "json").ok().json
    assert told["values"]["role_arn"] == {
        "value": "arn:aws:iam::444455556666:role/Admin", "file": path, "line": 12,
    }  # fmt: skip
    assert told["values"]["region"]["line"] == 3
    assert told["values"]["duration"] == {"value": None, "file": None, "line": None}
    assert [(c["provider"], c["chosen"]) for c in told["candidates"]] == [
        ("ci", False),
        ("sso", True),
    ]
    assert "AWS_OIDC_TOKEN" in told["candidates"][0]["reason"]
    assert told["trusted"] is False
    text = repo.run("explain", "prod").ok().out
    (line,) = [line for line in text.splitlines() if "role/Admin" in line]
    assert f"{path}:12" in line
    with_token = repo.run("explain", "prod", "--output", "json", env={"AWS_OIDC_TOKEN": "a.b.c"})
    assert [c["chosen"] for c in with_token.json["candidates"]] == [True, False]


def test_list_leaves_a_spoiled_profile_out_and_says_so(repo: Home) -> None:
    done = repo.run("list", "--output", "json").ok()
    assert [row["profile"] for row in done.json] == ["dev", "prod"]
    assert done.json[0] == {
        "profile": "dev", "provider": "keys", "type": "static", "account_id": None, "role": None,
        "source": None, "region": "eu-west-1", "tags": {"tier": "dev"},
    }  # fmt: skip
    assert "bad" in done.err


def test_the_schema_takes_the_example_and_refuses_a_typing_error(home: Home) -> None:
    schema = home.run("config", "schema").ok().json
    example = yaml.safe_load((Path(__file__).parent.parent / "config.example.yaml").read_text())
    jsonschema.validate(example, schema)
    example["providers"]["keys"]["typo"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, schema)


def test_no_config_at_all(home: Home) -> None:
    done = home.run("prod", "--output", "json")
    assert (done.code, done.error["code"]) == (2, "config")
    assert "version: 1" in done.error["hint"]
    assert len(home.run("prod").err.split("example:\n")[1].splitlines()) == 5


def test_names_of_commands_and_typing_errors(repo: Home) -> None:
    assert "did you mean `prod`" in repo.run("prd", "--config", "awslogin.yaml").err
    assert repo.run("dev", "--output", "jsno").code == 2
    assert repo.run("dev", "--no-such-option").code == 2
    assert repo.run("login", "dev", "--tag", "x").code == 2


def test_which_profile_is_meant(repo: Home) -> None:
    repo.run("config", "trust").ok()
    assert "which profile" in repo.run().err
    stale = {"AWS_PROFILE": "stale-name"}
    assert repo.run(env=stale).code == 2
    assert repo.run("dev", env=stale).code == 7
    assert "dev" in repo.run(env={"AWS_PROFILE": "dev"}).err
    named = repo.run(env={"AWSLOGIN_PROFILE": "prd", "AWS_PROFILE": "dev"})
    assert "did you mean `prod`" in named.err
