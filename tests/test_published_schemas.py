"""What scripts read: the published schemas, and the output that they describe."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from tests.configs import PROFILES, config, identity_center
from tests.sandbox import Sandbox
from tests.support import Home

CONFIG = config(
    providers={"corp": identity_center("https://corp.awsapps.com/start")},
    dev="provider: keys, tags: {tier: dev}",
    deploy=PROFILES["deploy"],
    stage=PROFILES["stage"],
)
PROFILE = {"profile", "provider", "type", "account_id", "role", "source", "region", "tags"}
FIELDS = {
    "session": {
        "version", "profile", "provider", "type", "account_id", "arn", "partition", "region",
        "access_key_id", "secret_access_key", "session_token", "issued_at", "expires_at",
        "from_cache",
    },
    "error": {"code", "exit", "message", "hint", "profile"},
    "list": PROFILE,
    "status": PROFILE | {"expires_at", "fresh"},
}  # fmt: skip
"""The contract's own words: a field that leaves this table breaks somebody's script."""


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


def published(home: Home, name: str) -> dict[str, Any]:
    schema: dict[str, Any] = home.run("config", "schema", f"--{name}").ok().json
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def entry(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of the object that holds the fields."""
    found = schema.get("items", schema)
    nested: dict[str, Any] = found["properties"].get("error", found)
    return nested


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_can_vanish(home: Home, name: str) -> None:
    schema = published(home, name)
    assert set(entry(schema)["required"]) >= FIELDS[name]
    assert set(entry(schema)["properties"]) >= FIELDS[name]
    for field in FIELDS[name]:
        sample = dict.fromkeys(FIELDS[name] - {field})
        missing = [
            error
            for error in jsonschema.Draft202012Validator(entry(schema)).iter_errors(sample)
            if error.validator == "required"
        ]
        assert [f"'{field}' is a required property"] == [error.message for error in missing]


def test_sessions(team: Home) -> None:
    schema = published(team, "session")
    for profile in ("dev", "deploy", "dev"):
        jsonschema.validate(team.run(profile, "--output", "json").ok().json, schema)
    several = team.run("dev", "deploy", "--output", "json").ok().json
    assert len(several) == 2
    for session in several:
        jsonschema.validate(session, schema)
    assert set(several[0]) == FIELDS["session"]


def test_a_session_has_no_field_beside_the_published_ones(team: Home) -> None:
    session = team.run("dev", "--output", "json").ok().json
    for wrong in ({"more": 1}, {"version": 2}, {"expires_at": "2026-01-01T00:00:00+00:00"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(session | wrong, published(team, "session"))


def test_list_and_status(team: Home) -> None:
    listed = team.run("list", "--output", "json").ok().json
    jsonschema.validate(listed, published(team, "list"))
    assert [row["profile"] for row in listed] == ["dev", "deploy", "stage"]
    assert all(set(row) >= FIELDS["list"] for row in listed)
    jsonschema.validate(team.run("status", "--output", "json").ok().json, published(team, "status"))
    team.run("dev", "deploy").ok()
    kept = team.run("status", "--output", "json").ok().json
    jsonschema.validate(kept, published(team, "status"))
    assert [row["profile"] for row in kept] == ["dev", "deploy"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nobody", "--output", "json"), "config"),
        (("creds", "stage"), "interaction_required"),
        (("creds", "dev"), "network"),
        (("env", "dev", "--no-such-option"), "usage"),
        (("deploy", "--output", "process", "--duration", "13h"), "usage"),
        (("login", "--all", "--tag", "x", "--output", "json"), "usage"),
    ],
)
def test_errors(team: Home, words: tuple[str, ...], code: str) -> None:
    dead = {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"}
    failed = team.run(*words, env=dead)
    assert failed.out == ("false\n" if "env" in words else "")  # an `eval` of it fails
    (line,) = failed.err.splitlines()
    document = json.loads(line)
    jsonschema.validate(document, published(team, "error"))
    assert document["error"]["exit"] == failed.code
    assert document["error"]["code"] == code
