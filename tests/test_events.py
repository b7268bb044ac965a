"""The log of sign-ins: what is written down, what never is, and who may write at once."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.events import EventLog
from broker.testing import FakeClock
from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import Home

FIELDS = {
    "at", "what", "profile", "provider", "type", "account_id", "arn", "mfa", "outcome",
    "error_code", "command",
}  # fmt: skip


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(config("dev", "deploy", "prod", sandbox=sandbox))
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


def events(home: Home, *words: str) -> list[dict[str, Any]]:
    out = home.run("events", "--output", "json", *words).ok().out
    found = [json.loads(line) for line in out.splitlines()]
    assert all(set(event) == FIELDS for event in found)
    return found


def test_sign_ins_refusals_commands_and_rotations(team: Home, sandbox: Sandbox) -> None:
    team.run("dev").ok()
    team.run("dev").ok()  # from the cache: no event
    password = {"AWSLOGIN_PASSWORD": "not the right one"}
    assert team.run("prod", env=password).code == 3
    team.run("exec", "dev", "--", "/bin/echo", "an-argument-of-mine").ok()
    team.run("rotate", "dev").ok()
    seen = [(one["what"], one["profile"], one["outcome"]) for one in events(team)]
    assert seen == [
        ("sign-in", "dev", "ok"),
        ("sign-in", "prod", "refused"),
        ("exec", "dev", "ok"),
        ("rotation", "dev", "ok"),
    ]
    first, refused, command, _ = events(team)
    assert (first["provider"], first["type"], first["mfa"]) == ("keys", "static", False)
    assert refused["error_code"] == "login_refused"
    assert command["command"] == "echo"
    assert [one["profile"] for one in events(team, "--profile", "prod")] == ["prod"]
    assert len(events(team, "--what", "exec", "--since", "1h")) == 1
    assert events(team, "--since", "2999-01-01") == []
    text = team.run("events").ok().out
    assert "refused (login_refused)" in text
    log = [path for path in team.files() if "events" in path.parts]
    assert {path.stat().st_mode & 0o777 for path in log} == {0o600}
    written = "".join(path.read_text() for path in log)
    for secret in [*sandbox.secrets(), "not the right one", "an-argument-of-mine"]:
        assert secret not in written


def test_nobody_is_there_is_no_event(team: Home) -> None:
    assert team.run("prod").code == 4
    assert events(team) == []


@pytest.mark.parametrize("value", ["off", "false"])
def test_a_person_may_want_none(team: Home, value: str) -> None:
    (team.folder / "awslogin" / "settings.yaml").write_text(f"events: {value}\n")
    team.run("dev").ok()
    assert events(team) == []


def log_of(folder: Path, clock: FakeClock) -> EventLog:
    return EventLog({"AWSLOGIN_HOME": str(folder)}, clock)


def test_two_hundred_writers_at_once(tmp_path: Path) -> None:
    clock = FakeClock()
    writers = [
        threading.Thread(target=log_of(tmp_path, clock).note, args=("exec", f"p{number}"))
        for number in range(200)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    names = [event["profile"] for event in log_of(tmp_path, clock).read()]
    assert sorted(names) == sorted(f"p{number}" for number in range(200))


def test_torn_and_foreign_lines_are_passed_over(tmp_path: Path) -> None:
    log = log_of(tmp_path, FakeClock())
    log.note("exec", "one")
    (file,) = log.folder.iterdir()
    with file.open("ab") as stream:
        stream.write(b'{"what": "exec", "profile": "to')  # killed here
    log.note("exec", "two")
    with file.open("ab") as stream:
        stream.write(b'[]\n\xff\xfe\n{"at": "never", "what": "exec"}\n' + b"[" * 100_000 + b"\n")
    log.note("exec", "three")
    assert [event["profile"] for event in log.read()] == ["one", "two", "three"]


def test_old_days_go(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 1, 1, 12, tzinfo=UTC))
    log = log_of(tmp_path, clock)
    log.note("exec", "old")
    clock.advance(timedelta(days=90).total_seconds())
    log.note("exec", "new")
    assert [event["profile"] for event in log.read()] == ["old", "new"]
    clock.advance(timedelta(days=1).total_seconds())
    log.note("exec", "newer")
    assert [event["profile"] for event in log.read()] == ["new", "newer"]


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("in the way")
    log_of(tmp_path, FakeClock()).note("exec", "one")
