"""The log of sign-ins: what is written down, what never is, and who may write at once."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pty
import subprocess
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from broker.events import EventLog
from broker.testing import FakeClock
from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import COMMAND, Home

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


def day_file(home: Home) -> Path:
    """Today's file, with one event."""
    log = EventLog(home.environ)
    log.note("exec", "before")
    (file,) = log.folder.iterdir()
    return file


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_stands_in_the_place_of_a_day_stops_nobody(team: Home, kind: str) -> None:
    file = day_file(team)
    aside = file.rename(file.with_suffix(".aside"))
    {"pipe": os.mkfifo, "link": lambda path: path.symlink_to(aside), "folder": Path.mkdir}[kind](
        file
    )
    team.run("dev").ok()
    team.run("events").ok()
    team.run("report").ok()
    assert events(team) == []
    assert len(aside.read_text().splitlines()) == 1  # a link is not followed


def test_lines_of_other_versions_and_of_nobody(team: Home) -> None:
    file = day_file(team)
    at = json.loads(file.read_text())["at"]
    older = {"at": at, "what": "sign-in", "profile": "a\n\x1b[2Jb\u202ec", "newer": [1]}
    odd = [
        {"at": at, "what": "exec"}, {"at": at, "what": "exec", "profile": ["x"]},
        {"at": "0001-01-01T00:00:00+14:00", "what": "exec", "profile": "x"},
        {"at": "2026-01-01T00:00:00", "what": "exec", "profile": "x"}, {"at": at, "what": ["x"]},
    ]  # fmt: skip
    file.write_text("".join(f"{json.dumps(line)}\n" for line in [older, *odd]))
    assert [one["profile"] for one in events(team)] == [older["profile"]]
    (line,) = team.run("events").ok().out.splitlines()
    assert "a [2Jbc" in line  # on one line, and nothing that fools
    team.run("report").ok()


def test_colours_on_a_terminal(team: Home) -> None:
    day_file(team)
    for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        main, tty = pty.openpty()
        environ = team.env({"TERM": "xterm", **more})
        process = subprocess.Popen([COMMAND, "events"], env=environ, cwd=team.work, stdout=tty)
        os.close(tty)
        shown = b""
        with contextlib.suppress(OSError):  # Linux says so where the other side has closed
            while part := os.read(main, 4096):
                shown += part
        os.close(main)
        assert process.wait() == 0
        assert (b"\x1b[32mok" in shown) == coloured


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("1h", 1), ("2d", 1), ("1h30m", 1), ("2000-01-01", 1), ("2000-01-01T10:00:00Z", 1),
        ("2999-01-01", 0), ("0s", 0),
    ],
)  # fmt: skip
def test_since(team: Home, since: str, found: int) -> None:
    day_file(team)
    assert len(events(team, "--since", since)) == found


def test_since_a_time_with_an_offset(team: Home) -> None:
    file = day_file(team)
    moment = datetime.fromisoformat(json.loads(file.read_text())["at"])
    for hours in (-12, 0, 14):  # where it is another day
        there = moment.astimezone(timezone(timedelta(hours=hours)))
        assert len(events(team, "--since", there.isoformat())) == 1


@pytest.mark.parametrize(
    "since", ["", "soon", "-1h", "2026-13-01", "0001-01-01T00:00:00+14:00", "9" * 400 + "d"]
)
def test_since_what_is_no_time(team: Home, since: str) -> None:
    done = team.run("events", "--since", since)
    assert (done.code, "defect" in done.err) == (2, False)


def test_a_full_disk_stops_nobody_and_leaves_no_torn_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(tmp_path, FakeClock())
    log.note("exec", "one")
    write = os.write

    def half(handle: int, data: bytes) -> int:
        write(handle, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.write", half)
        log.note("exec", "lost")
    log.note("exec", "two")
    assert [event["profile"] for event in log.read()] == ["one", "two"]


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "events").write_text("in the way")
    log_of(tmp_path, FakeClock()).note("exec", "one")
