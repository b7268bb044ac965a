"""Every option of every provider with values of wrong types: told in our words, at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broker import registry
from broker.config import SpoiledFile, load

WRONG: list[Any] = [
    [], ["a"], [1], [[]], [None], [{}], {}, {"a": "b"}, {"a": {"b": "c"}}, 5, -1, True, None, "",
]  # fmt: skip
SOUND: dict[str, dict[str, Any]] = {
    "identity-center": {"start_url": "https://corp.awsapps.com/start", "region": "eu-west-1"},
    "aws-login": {"region": "eu-west-1"},
    "oidc": {"issuer": "https://id.corp.example", "client_id": "awslogin"},
    "process": {"command": ["/bin/true"]},
    "web-identity": {"token": {"env": "TOKEN"}},
    "saml": {"idp": "form", "url": "https://id.corp.example"},
}
NOT_OURS = (
    "function-", "literal[", "Options]", "nput should", "discriminator", "validat", "pydantic",
    "NoneType", "dict", "<class", "object at",
)  # fmt: skip


def errors(folder: Path, text: str) -> list[str]:
    path = folder / "wrong.yaml"
    path.write_text(text)
    try:
        problems = load(str(path), {}, folder).problems
    except SpoiledFile as error:
        problems = error.errors
    return [error.message for error in problems]


@pytest.mark.parametrize("kind", sorted(name for name in registry.names() if registry.is_own(name)))
def test_no_word_of_a_library_is_told(tmp_path: Path, kind: str) -> None:
    options = SOUND.get(kind, {})
    for name in registry.load(kind).Options.model_fields:
        for value in WRONG:
            provider = {"type": kind, **options, name: value}
            found = errors(tmp_path, json.dumps({"version": 1, "providers": {"p": provider}}))
            for message in found:
                assert not [word for word in NOT_OURS if word in message], (name, value, message)
                assert f"{tmp_path}/wrong.yaml:1:" in message
            assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[env]", "`providers.p.token`: is {env: NAME}, {file: PATH}, github or gitlab"),
        ("5", "`providers.p.token`: is {env: NAME}, {file: PATH}, github or gitlab"),
        ("githb", "`providers.p.token` is one of github, gitlab"),
        ("{env: 5}", "`providers.p.token.env` is text"),
        ("{enf: X}", "unknown key `enf`"),
        ("{}", "`providers.p.token`: `token` takes either `env` or `file`"),
    ],
)
def test_the_place_of_a_token(tmp_path: Path, value: str, message: str) -> None:
    text = f"version: 1\nproviders:\n  p: {{type: web-identity, token: {value}}}\n"
    (found,) = errors(tmp_path, text)
    assert "wrong.yaml:3:" in found
    assert found.endswith(message)
