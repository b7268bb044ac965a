"""`config check` tells everything at once, in our own words; what works without a config."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.configs import config
from tests.support import Home

ROLE = 'role_arn: "arn:aws:iam::111122223333:role/x"'
ALL = f"""\
version: 1
default_profile: nobody
providers:
  keys: {{type: static}}
  un: {{type: sttic}}
  sso: {{type: saml, idp: octa, url: https://x.example/}}
  bad {{type: static}}
profiles:
  a: {{provdier: keys}}
  b: {{source: a, {ROLE}}}
  c: {{provider: kyes}}
  d: {{source: dd, {ROLE}}}
  e: [x]
  f: {{provider: keys, tags: 3, duration: 37h}}
  g: {{provider: un}}
  h: {{provider: sso}}
"""


def problems(home: Home, text: str) -> list[tuple[int, str]]:
    home.config(text)
    done = home.run("config", "check", "--output", "json")
    document = json.loads(done.out)
    assert done.code == (0 if document["ok"] else 2)
    assert document["count"] == len(document["problems"])
    return [
        (one["line"], f"{one['message']} {one['hint']}".strip()) for one in document["problems"]
    ]


def test_everything_is_told_at_once_and_nothing_twice(home: Home) -> None:
    told = problems(home, ALL)
    expected = [
        (2, "no profile `nobody`"),
        (5, "did you mean `static`"),
        (6, "did you mean `okta`"),
        (7, "a colon is missing after `bad`"),
        (9, "did you mean `provider`"),
        (11, "did you mean `keys`"),
        (12, "no profile `dd`"),
        (13, "`profiles.e` is a mapping"),
        (14, "`profiles.f.tags` is a mapping"),
        (14, "at most 36 hours"),
    ]
    assert [line for line, _ in told] == [line for line, _ in expected]
    for (_, message), (_, words) in zip(told, expected, strict=True):
        assert words in message
        assert "Input should" not in message
        assert "input should" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("providers:\n\tkeys: {type: static}\n", "a tab"),
        ("providers:\n  keys {type: static, a: b}\n", "a colon is missing after `keys`"),
        ("providers: [x]\n", "`providers` is a mapping"),
        ("profiles: {a: {source: b, policy_arns: x}, b: {source: a}}\n", "is a list"),
        ("version: 2\n", "`version` is 1"),
    ],
)
def test_words_of_ours(home: Home, text: str, words: str) -> None:
    home.config(text if "version" in text else f"version: 1\n{text}")
    done = home.run("list")
    assert done.code == 2
    assert words in done.err


def test_a_role_of_another_partition(home: Home) -> None:
    head = "version: 1\nproviders: {keys: {type: static}}\nprofiles:\n"
    role = "role_arn: 'arn:aws-cn:iam::111122223333:role/x'"
    ((line, message),) = problems(
        home, f"{head}  p: {{provider: keys, region: us-east-1, {role}}}\n"
    )
    assert line == 4
    assert "aws-cn" in message


def test_a_region_of_a_provider_and_of_the_defaults_is_told(home: Home) -> None:
    text = """\
version: 1
defaults: {region: eu-cntral-1}
providers:
  corp: {type: identity-center, start_url: https://corp.awsapps.com/start, region: us-est-1}
profiles:
  a: {provider: corp, account: "111122223333", role: A}
  b: {provider: corp, account: "111122223333", role: B}
"""
    assert [line for line, _ in problems(home, text)] == [2, 2, 4]


def test_what_works_without_a_config(home: Home) -> None:
    assert json.loads(home.run("status", "--output", "json").ok().out) == []
    home.run("logout", "--all").ok()
    home.run("agent", "status").ok()
    own = Path(home.environ["AWSLOGIN_HOME"]) / "config.yaml"
    assert home.run("config", "path").ok().out == f"{own}\n"
    shown = json.loads(home.run("config", "path", "--output", "json").ok().out)
    assert shown == {"file": str(own), "exists": False, "trusted": True}
    assert home.run("list").code == 2


def test_config_path_tells_of_a_broken_file_too(home: Home) -> None:
    (home.work / "awslogin.yaml").write_text("version: [\n")
    shown = json.loads(home.run("config", "path", "--output", "json").ok().out)
    assert shown == {"file": str(home.work / "awslogin.yaml"), "exists": True, "trusted": False}


def test_a_profile_of_the_own_config_is_named(home: Home) -> None:
    own = Path(home.environ["AWSLOGIN_HOME"]) / "config.yaml"
    own.parent.mkdir(exist_ok=True)
    text = "version: 1\nproviders: {keys: {type: static}}\nprofiles: {%s: {provider: keys}}\n"
    own.write_text(text % "prod")
    (home.work / "awslogin.yaml").write_text(text % "prdo")
    done = home.run("explain", "prod")
    assert done.code == 2
    assert f"awslogin prod --config {own}" in done.err


def test_a_machine_without_a_home_folder(home: Home) -> None:
    passwd = {"HOME": None, "AWSLOGIN_HOME": "~nobody-here/x"}
    done = home.run("status", env=passwd)
    assert done.code == 2
    assert "AWSLOGIN_HOME" in done.err


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("CORP\\ann", "CORP-ann"),
        ("änn", "-nn"),
        ("Ann Lee", "Ann-Lee"),
        ("a", "awslogin"),
        ("john.o'brien", "john.o-brien"),
        ("x" * 70, "x" * 64),
        ("ann", "ann"),
    ],
)
def test_any_users_name_may_stand_in_a_session_name(home: Home, user: str, name: str) -> None:
    home.config(
        config("dev", "deploy", head='defaults: {region: eu-west-1, session_name: "${USER}"}\n')
    )
    shown = home.run("config", "show", "--output", "json", env={"USER": user}).ok()
    assert f'"{name}"' in shown.out


def test_a_profile_of_the_persons_own_config_is_named(home: Home) -> None:
    own = home.folder / "awslogin" / "config.yaml"
    own.write_text(
        config("prod", providers={"sso": "type: static"}, profiles={"mine": "provider: sso"})
    )
    own.chmod(0o600)
    (home.work / "awslogin.yaml").write_text(config("dev"))
    home.run("config", "trust").ok()
    error = home.run("login", "mine", "--output", "json").error
    assert error["exit"] == 2
    assert str(own) in error["hint"]
    assert "--config" in error["hint"]
    assert "own" not in home.run("login", "nobody", "--output", "json").error["hint"]
