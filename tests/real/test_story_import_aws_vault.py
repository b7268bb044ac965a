"""`import aws-vault` with its keys where it lays them: a real Secret Service, and real `pass`."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real.parts import password_store, secret_service, terminal
from tests.sandbox import Sandbox
from tests.sandbox.world import Keys
from tests.support import COMMAND, Home

AWS = """\
[default]
region = eu-west-1
[profile dev]
mfa_serial = arn:aws:iam::111122223333:mfa/bob
[profile deploy]
source_profile = dev
role_arn = arn:aws:iam::111122223333:role/Deploy
"""
LAY = """
import json, sys
import secretstorage
connection = secretstorage.dbus_init()
collection = secretstorage.get_default_collection(connection)
if sys.argv[1] == "awsvault":
    collection = secretstorage.create_collection(connection, "awsvault", alias="")
for name, item in json.load(sys.stdin).items():
    secret = json.dumps(item).encode()
    collection.create_item(name, {"profile": name}, secret, True, "application/json")
"""
"""As go-libsecret does it: the label is the name, so is the attribute `profile`."""


def item(name: str, keys: Keys) -> dict[str, str]:
    """An entry as aws-vault's keyring library writes it."""
    data = {
        "AccessKeyID": keys.key_id,
        "SecretAccessKey": keys.secret,
        "SessionToken": "",
        "Source": "",
        "CanExpire": False,
        "Expires": "0001-01-01T00:00:00Z",
    }
    encoded = base64.b64encode(json.dumps(data).encode()).decode()
    return {"Key": name, "Data": encoded, "Label": f"aws-vault ({name})", "Description": ""}


@pytest.fixture
def vault(signed_up: Home) -> Home:
    (signed_up.folder / ".aws").mkdir()
    (signed_up.folder / ".aws" / "config").write_text(AWS)
    return signed_up


@contextmanager
def laid(home: Home, items: Mapping[str, dict[str, str]], folder: Path) -> Iterator[Home]:
    """A desktop whose Secret Service holds these in aws-vault's collection."""
    with secret_service.unlocked(folder) as environ:
        home.environ |= environ
        env = home.env({"AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME": None})
        words = [sys.executable, "-c", LAY, "login"]
        subprocess.run(words, env=env, input=json.dumps(items), text=True, check=True)
        home.environ["AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME"] = "login"
        yield home


def test_keys_come_out_of_a_secret_service(vault: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    items = {
        "dev": item("dev", sandbox.bob),
        "alone": item("alone", sandbox.ann),
        "sts.GetSessionToken,ZGV2,,1700000000": item("x", sandbox.ann),
        "oidc:https://corp.awsapps.com/start": item("y", sandbox.ann),
    }
    with laid(vault, items, tmp_path / "desktop"):
        assert "aws-vault: 3 profiles, 2 keys, 1 sign-in" in vault.run("import").ok().out
        shown = vault.run("import", "aws-vault", "--dry-run").ok()
        assert "alone: {provider: keys" in shown.out
        document = vault.run("import", "aws-vault", "--output", "json").ok().json
        assert document["added"]["profiles"] == ["dev", "deploy", "alone"]
        assert {row["profile"]: row["access_key_id"] for row in document["keys"]} == {
            "dev": sandbox.bob.key_id,
            "alone": sandbox.ann.key_id,
        }
        again = vault.run("import", "aws-vault", "--output", "json").ok().json
        assert again["added"] == {"providers": [], "profiles": []}
        assert vault.holds_in_plain([sandbox.bob.secret, sandbox.ann.secret]) == []
    vault.run("alone").ok()


def test_keys_that_aws_refuses_stay_there_and_the_rest_comes_over(
    vault: Home, sandbox: Sandbox, tmp_path: Path
) -> None:
    items = {"dev": item("dev", sandbox.bob), "alone": item("alone", sandbox.ann)}
    sandbox.bob.active = False
    with laid(vault, items, tmp_path / "desktop"):
        done = vault.run("import", "aws-vault", "--output", "json")
        assert done.code == 3
        assert [row["profile"] for row in done.json["keys"]] == ["alone"]
        assert done.json["added"]["profiles"] == ["dev", "deploy", "alone"]
        sandbox.bob.active = True
        rows = vault.run("import", "aws-vault", "--output", "json").ok().json["keys"]
        assert [row["profile"] for row in rows] == ["dev"]


@pytest.mark.parametrize(("answer", "taken"), [("y", True), ("n", False)])
def test_a_person_is_asked_for_the_keys(
    vault: Home, sandbox: Sandbox, tmp_path: Path, answer: str, taken: bool
) -> None:
    with laid(vault, {"dev": item("dev", sandbox.bob)}, tmp_path / "desktop"):
        done = terminal.run(
            [COMMAND, "import", "aws-vault"],
            env=vault.env(),
            answers=[
                (r"Write this\? \[y/N\]", "y"),
                (r"Copy the keys of dev .* \[y/N\]", answer),
            ],
        )
    assert done.code == 0, done.screen
    listed = vault.run("list", "--output", "json").ok().json
    assert ("key_since" in listed[0]) is taken


def test_no_keys_are_taken_where_none_are_wanted(
    vault: Home, sandbox: Sandbox, tmp_path: Path
) -> None:
    with laid(vault, {"dev": item("dev", sandbox.bob)}, tmp_path / "desktop"):
        document = vault.run("import", "aws-vault", "--no-keys", "--output", "json").ok().json
    assert document["keys"] == []
    assert sandbox.calls("sts") == []


def test_a_silent_or_locked_service_is_told(vault: Home, tmp_path: Path) -> None:
    vault.environ["AWS_VAULT_BACKEND"] = "secret-service"
    with secret_service.locked(tmp_path / "desktop") as environ:
        vault.environ |= environ | {"AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME": "login"}
        document = vault.run("import", "aws-vault", "--output", "json").ok().json
    assert "is locked" in str(document["left_out"])
    assert document["added"]["profiles"] == ["dev", "deploy"]


def test_keys_come_out_of_pass(vault: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    with password_store.initialised(tmp_path) as environ:
        vault.environ |= environ | {"AWS_VAULT_BACKEND": "pass", "AWS_VAULT_PASS_PREFIX": "aws"}
        text = json.dumps(item("dev", sandbox.bob))
        words = ["pass", "insert", "-m", "-f", "aws/dev"]
        subprocess.run(words, env=vault.env(), input=text, text=True, check=True)
        document = vault.run("import", "aws-vault", "--output", "json").ok().json
    assert [row["access_key_id"] for row in document["keys"]] == [sandbox.bob.key_id]
    assert vault.holds_in_plain([sandbox.bob.secret]) == []


def test_a_password_of_saml2aws_is_told_by_name_alone(home: Home, tmp_path: Path) -> None:
    url = "https://id.example/realms/r/protocol/saml/clients/aws"
    text = f"[one]\nprovider = KeyCloak\nurl = {url}\nmfa = Auto\n"
    (home.folder / ".saml2aws").write_text(text)
    with laid(home, {url: {"Key": url, "Data": "aHVudGVyMg=="}}, tmp_path / "desktop"):
        document = home.run("import", "saml2aws", "--output", "json").ok().json
    assert [(one["source"], one["key"]) for one in document["left_out"]] == [("one", "password")]
    assert document["added"]["profiles"] == ["one"]
