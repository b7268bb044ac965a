"""`add`, `remove`, the first sign-in: what is asked and checked, in which forms keys come."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.real.parts import terminal
from tests.sandbox import Sandbox
from tests.support import COMMAND, PATIENCE, Home, Result

CONFIG = """\
version: 1
team: payments
defaults: {region: eu-west-1}
providers:
  ci: {type: web-identity, token: {env: T}}
  keys: {type: static}
profiles:
  dev: {provider: keys}
  both: {provider: [ci, keys], role_arn: "arn:aws:iam::111122223333:role/Deploy"}
"""
WRONG = json.dumps({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x" * 40})


@pytest.fixture
def team(signed_up: Home) -> Home:
    signed_up.config(CONFIG)
    return signed_up


def fed(home: Home, content: bytes, *words: str) -> Result:
    """The command with these bytes on stdin."""
    done = subprocess.run(
        [COMMAND, *words],
        input=content,
        env=home.env(),
        cwd=home.work,
        capture_output=True,
        timeout=PATIENCE,
        start_new_session=True,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def arn(home: Home) -> str:
    return str(home.run("whoami", "dev", "--output", "json").ok().json["arn"])


def test_a_list_of_providers_has_its_own_holder_of_keys(team: Home, sandbox: Sandbox) -> None:
    """Also while the CI's token is there, which would sign in first."""
    token = {"T": sandbox.issuer.token()}
    team.run("add", "both", "--stdin", stdin=sandbox.bob.json, env=token).ok()
    done = team.run("rotate", "both", "--output", "json", env=token).ok().json
    assert sandbox.user("bob").keys == [done["access_key_id"]]
    everything = team.run("rotate", "--all", "--output", "json", env=token).ok().json
    assert [row["profile"] for row in everything] == ["both"]
    team.run("remove", "both", env=token).ok()
    assert team.run("both", "--output", "json").error["exit"] == 7


def test_keys_that_aws_does_not_take_replace_none(team: Home, sandbox: Sandbox) -> None:
    team.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    error = team.run("add", "dev", "--stdin", "--output", "json", stdin=WRONG).error
    assert (error["exit"], "--no-check" in error["hint"]) == (3, True)
    assert arn(team).endswith("user/bob")
    team.run("add", "dev", "--stdin", "--no-check", stdin=WRONG).ok()
    assert team.run("dev", "--output", "json").error["exit"] == 3


@pytest.mark.parametrize("answer", ["y", "n"])
def test_over_other_keys_a_person_is_asked(team: Home, sandbox: Sandbox, answer: str) -> None:
    team.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    typed = [(".*Replace them.*", answer)]
    if answer == "y":
        typed += [("Access key id.*", sandbox.ann.key_id), ("Secret access.*", sandbox.ann.secret)]
    done = terminal.run([COMMAND, "add", "dev"], env=team.env(), answers=typed)
    assert done.code == 0, done.screen
    assert sandbox.bob.key_id in done.screen
    assert arn(team).endswith("user/ann" if answer == "y" else "user/bob")


@pytest.mark.parametrize("answer", ["y", "n"])
def test_remove_asks_a_person(team: Home, sandbox: Sandbox, answer: str) -> None:
    team.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    done = terminal.run(
        [COMMAND, "remove", "dev"], env=team.env(), answers=[("Remove the keys.*", answer)]
    )
    assert done.code == 0, done.screen
    assert team.run("dev").code == (7 if answer == "y" else 0)


def test_missing_keys_are_added_on_the_way(team: Home, sandbox: Sandbox) -> None:
    done = terminal.run(
        [COMMAND, "dev"],
        env=team.env(),
        answers=[
            ("Add an access key now.*", "y"),
            ("Access key id.*", sandbox.bob.key_id),
            ("Secret access key.*", sandbox.bob.secret),
        ],
    )
    assert done.code == 0, done.screen
    assert arn(team).endswith("user/bob")


@pytest.mark.parametrize("form", ["nested", "bom", "utf-16"])
def test_forms_of_keys(team: Home, sandbox: Sandbox, form: str) -> None:
    keys = json.loads(sandbox.bob.json)
    text = {
        "nested": json.dumps({"AccessKey": {"UserName": "bob", "Status": "Active", **keys}}),
        "bom": "\ufeff" + sandbox.bob.json,
        "utf-16": sandbox.bob.json,
    }[form]
    content = text.encode("utf-16" if form == "utf-16" else "utf-8")
    fed(team, content, "add", "dev", "--stdin").ok()
    assert arn(team).endswith("user/bob")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xff\xff", "UTF-8"),
        (b"[" * 5000, "no keys"),
        (b'"text"', "no keys"),
        (b'{"AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"%s","SessionToken":"t"}'
         % (b"x" * 40), "temporary"),
    ],
)  # fmt: skip
def test_what_is_no_pair_of_keys(team: Home, content: bytes, said: str) -> None:
    done = fed(team, content, "add", "dev", "--stdin")
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [("123 456", "one-time code"), ("otpauth://hotp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DP", "hotp")],
)
def test_what_is_no_seed(team: Home, text: str, said: str) -> None:
    done = team.run("add", "dev", "--totp", "--stdin", stdin=text)
    assert done.code == 2
    assert said in done.err


def test_a_seed_behind_a_byte_order_mark(team: Home, sandbox: Sandbox) -> None:
    seed = sandbox.user("ann").mfa[0].seed
    team.run("add", "dev", "--totp", "--stdin", stdin="\ufeff" + seed).ok()


def test_without_a_keychain_by_wish(team: Home) -> None:
    wish: dict[str, str | None] = {"AWSLOGIN_KEYRING": "none", "AWSLOGIN_PASSPHRASE": None}
    error = team.run("dev", "--output", "json", env=wish).error
    assert (error["exit"], "AWSLOGIN_KEYRING=none" in error["hint"]) == (7, True)


@pytest.mark.parametrize("choice", ["1", "2"])
def test_where_secrets_go_is_asked_before_the_sign_in(
    signed_up: Home, sandbox: Sandbox, choice: str
) -> None:
    """On a machine without a keychain; nowhere is an answer too."""
    signed_up.without_vault().config(
        "version: 1\ndefaults: {region: eu-west-1}\n"
        f"providers: {{corp: {{type: saml, idp: form, username: ann, url: '{sandbox.idp.url}'}}}}\n"
        "profiles: {dev: {provider: corp, account: '111122223333', role: ReadOnly}}\n"
    )
    passphrase = [(".*passphrase.*", "short"), (".*passphrase again.*", "short")]
    done = terminal.run(
        [COMMAND, "dev"],
        env=signed_up.env({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}),
        answers=[
            ("(?s).*Number, or part.*", choice),
            *(passphrase if choice == "1" else []),
            ("Password of ann.*", sandbox.world.people["ann"].password),
        ],
    )
    assert done.code == 0, done.screen
    assert (signed_up.folder / "awslogin" / "vault").exists() is (choice == "1")
    assert ("is short" in done.screen) is (choice == "1")


def test_a_passphrase_that_is_not_text(team: Home, sandbox: Sandbox) -> None:
    """The environment may hold any bytes: they open nothing, and spoil nothing."""
    environ = {os.fsencode(name): os.fsencode(text) for name, text in team.env().items()}
    done = subprocess.run(
        [COMMAND, "dev", "--output", "json"],
        env=environ | {b"AWSLOGIN_PASSPHRASE": b"\xff\xfe"},
        cwd=team.work,
        capture_output=True,
        timeout=PATIENCE,
        start_new_session=True,
        check=False,
    )
    error = Result(done.returncode, done.stdout.decode(), done.stderr.decode()).error
    assert (error["exit"], "does not open" in error["message"]) == (7, True)
