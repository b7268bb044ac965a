"""A program that prints a session: what is taken from it, and every way in which it fails."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from broker.errors import (
    ConfigError,
    LoginRefused,
    NetworkError,
    RoleRefused,
    UnexpectedReply,
)
from broker.provider import Credentials, Provider, Request
from broker.testing import FakeClock, ProviderContract, make_ports
from providers.process import Process
from tests.sandbox import Sandbox
from tests.support import Home

REQUEST = Request(profile="tool", region="eu-west-1")
SESSION: dict[str, Any] = {
    "Version": 1,
    "AccessKeyId": "ASIATOOL",
    "SecretAccessKey": "the-tools-own-secret",
    "SessionToken": "the-tools-own-token",
    "Expiration": "2037-01-01T00:00:00+02:00",
}


def printing(document: object) -> list[str]:
    return ["printf", "%s", document if isinstance(document, str) else json.dumps(document)]


def process(command: list[str], **more: Any) -> Process:
    options = Process.Options.model_validate({"command": command, **more})
    return Process("tool", options, make_ports({}, clock=FakeClock()))


def login(document: object, request: Request = REQUEST) -> Credentials:
    return process(printing(document)).login(request)


class TestProcess(ProviderContract):
    type = "process"
    good_options: ClassVar[dict[str, Any]] = {"command": ["tool", "--json"], "timeout": "30s"}

    @pytest.fixture
    def provider(self) -> Provider[Any]:
        return process(printing(SESSION))

    @pytest.fixture
    def request_(self) -> Request:
        return REQUEST

    @pytest.fixture
    def stranded(self) -> Provider[Any]:
        return process(["false"])


def test_the_end_is_kept_as_utc() -> None:
    assert login(SESSION).expires_at == datetime(2036, 12, 31, 22, tzinfo=UTC)
    plain = login({**SESSION, "Expiration": "2037-01-01T00:00:00Z"})
    assert plain.expires_at == datetime(2037, 1, 1, tzinfo=UTC)


def test_without_an_end_the_command_is_asked_again_soon() -> None:
    provider = process(printing({**SESSION, "Expiration": None}))
    end = provider.login(REQUEST).expires_at
    assert end
    assert end - provider.ports.clock.now() <= timedelta(minutes=15)


def test_a_users_own_keys_have_no_token() -> None:
    assert login({**SESSION, "SessionToken": None}).session_token is None


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "{}",
        "[]",
        "null",
        "not json",
        "[" * 100_000,
        json.dumps(SESSION)[:-3],
        json.dumps(SESSION) * 2,
        {**SESSION, "Version": 2},
        {**SESSION, "Version": "1"},
        {**SESSION, "AccessKeyId": ""},
        {**SESSION, "SecretAccessKey": 1},
        {**SESSION, "SessionToken": ["x"]},
        {**SESSION, "Expiration": "soon"},
        {**SESSION, "Expiration": 1},
        {**SESSION, "Expiration": "9" * 400},
        {**SESSION, "Expiration": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_what_is_no_session_is_refused_and_not_shown(printed: object) -> None:
    with pytest.raises(UnexpectedReply) as failed:
        login(printed)
    assert "the-tools-own" not in f"{failed.value} {failed.value.hint}"


def test_endless_output_is_cut() -> None:
    with pytest.raises(UnexpectedReply, match="more than a session"):
        process(["yes"]).login(REQUEST)


def test_a_child_that_holds_stdout_does_not_hold_us() -> None:
    shell = f"printf %s '{json.dumps(SESSION)}'; sleep 60 &"
    assert process(["/bin/sh", "-c", shell], timeout=300).login(REQUEST).access_key_id == "ASIATOOL"


@pytest.mark.parametrize("command", [["false"], ["/bin/sh", "-c", "kill -9 $$"]])
def test_a_command_that_fails_refuses(command: list[str]) -> None:
    with pytest.raises(LoginRefused, match="the command of tool"):
        process(command).login(REQUEST)


def test_a_slow_command_ends() -> None:
    with pytest.raises(NetworkError, match="within 1 s"):
        process(["sleep", "600"], timeout=1).login(REQUEST)


def test_a_command_that_is_not_here_or_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not here: no-such-tool"):
        process(["no-such-tool"]).login(REQUEST)
    (tmp_path / "tool").write_text("")
    with pytest.raises(ConfigError, match="cannot be run"):
        process([str(tmp_path / "tool")]).login(REQUEST)


@pytest.mark.parametrize("command", [[], [""], ["./tool"], ["bin/tool"], ["a\0b"], "tool --json"])
def test_the_program_is_a_name_on_path_or_an_absolute_path(command: Any) -> None:
    with pytest.raises(ValidationError):
        Process.Options.model_validate({"command": command})


def test_another_account_than_the_profiles_is_refused() -> None:
    mine = Request(profile="tool", region="eu-west-1", account="111122223333")
    assert login({**SESSION, "AccountId": "111122223333"}, mine).account_id == "111122223333"
    with pytest.raises(RoleRefused, match="999988887777"):
        login({**SESSION, "AccountId": "999988887777"}, mine)


def test_our_secrets_stay_ours_and_the_rest_of_the_environment_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = ("PASSPHRASE", "PASSWORD_OKTA", "MFA_CODE", "AGENT_TOKEN")
    for name in (f"AWSLOGIN_{secret}" for secret in secrets):
        monkeypatch.setenv(name, "hunter2hunter2")
    monkeypatch.setenv("VAULT_ADDR", "https://vault.corp.example")
    checked = 'env | grep -q hunter2 && exit 1; test -n "$VAULT_ADDR" && '
    shell = f"{checked} printf %s '{json.dumps(SESSION)}'"
    assert process(["/bin/sh", "-c", shell]).login(REQUEST)


CONFIG = """\
version: 1
providers:
  tool: {{type: process, command: [{script}, get]}}
profiles:
  tool: {{provider: tool}}
  audit: {{source: tool, role_arn: "arn:aws:iam::777788889999:role/Audit", external_id: x}}
  wrong: {{provider: tool, account: "111122223333", role: Admin}}
"""


def test_a_chain_stands_on_it_and_its_stderr_is_seen(signed_up: Home, sandbox: Sandbox) -> None:
    script = signed_up.folder / "tool"
    keys = sandbox.bob
    session = {"Version": 1, "AccessKeyId": keys.key_id, "SecretAccessKey": keys.secret}
    script.write_text(f"#!/bin/sh\necho touch your key >&2\necho '{json.dumps(session)}'\n")
    script.chmod(0o755)
    signed_up.config(CONFIG.format(script=script))
    done = signed_up.run("tool", "--output", "json").ok()
    assert done.json["type"] == "process"
    assert done.json["access_key_id"] == keys.key_id
    assert "touch your key" in done.err
    again = signed_up.run("tool", "--output", "json").ok()
    assert again.json["from_cache"]
    assert "touch" not in again.err

    refused = signed_up.run("wrong", "--output", "json")
    assert refused.code == 2
    assert "source" in refused.error["message"]

    script.write_text("#!/bin/sh\necho the vault is sealed >&2\nexit 3\n")
    failed = signed_up.run("tool", "--output", "json", "--force")
    assert failed.code == 3
    assert "the vault is sealed" in failed.err
    assert os.fspath(script) in failed.error["hint"]
