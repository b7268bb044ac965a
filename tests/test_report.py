"""`report`: planted findings are found exactly, broken sources are named, forms hold."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import re
import shlex
import subprocess
import termios
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from broker.report.document import RULES, Report
from broker.report.finding import Finding, Source
from broker.report.text import Screen, as_text
from broker.schemas import PUBLISHED
from tests import organization
from tests.configs import config
from tests.sandbox import DEV, Sandbox
from tests.support import COMMAND, Home, Result


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(config("dev", "deploy", "prod", sandbox=sandbox))
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


def reported(home: Home, *words: str, code: int = 0) -> Any:
    done = home.run("report", "--format", "json", *words)
    assert done.code == code, done.out + done.err
    document = json.loads(done.out)
    jsonschema.validate(document, PUBLISHED["report"])
    return document


def of_rules(document: Any, *, source: str) -> set[tuple[str, str]]:
    return {
        (one["id"], one["who"]) for one in document["findings"] if RULES[one["id"]].source == source
    }


def test_there_are_enough_rules_and_each_says_what_it_is() -> None:
    assert len(RULES) >= 25
    for rule in RULES.values():
        assert rule.title, rule
        assert rule.why, rule
        assert rule.mend, rule


def test_the_page_of_the_docs_lists_every_rule() -> None:
    page = (Path(__file__).parent.parent / "docs/report.md").read_text()
    for rule in RULES.values():
        facts = (rule.id, rule.severity, rule.source, rule.title, rule.reference or "none")
        assert f"| {' | '.join(facts)} |" in page


def test_the_published_schema_is_the_printed_one(home: Home) -> None:
    printed = home.run("config", "schema", "--report").ok().json
    file = Path(__file__).parent.parent / "docs/report.schema.json"
    assert json.loads(file.read_text()) == printed == PUBLISHED["report"]
    finding = printed["properties"]["findings"]["items"]
    assert set(finding["required"]) == {field.name for field in fields(Finding)}


def test_planted_findings_are_found_and_none_else(team: Home, tmp_path: Path) -> None:
    expected = organization.written(tmp_path / "trail", events=6000)
    trail = str(tmp_path / "trail")
    document = reported(team, "--cloudtrail", trail)
    found = of_rules(document, source="cloudtrail")
    assert found == expected | {("console-login-beside-sso", "lea")}
    (source,) = [one for one in document["sources"] if one["kind"] == "cloudtrail"]
    assert source["events"] > 6000
    assert source["warnings"] == []
    spraying = next(one for one in document["findings"] if one["id"] == "password-spraying")
    assert spraying["count"] == 21
    again = reported(team, "--cloudtrail", trail, "--cloudtrail", trail)
    assert again["findings"] == document["findings"]  # an event counts once


def test_what_cannot_be_read_is_named_and_the_rest_is_read(team: Home, tmp_path: Path) -> None:
    expected = organization.written(tmp_path / "trail", events=100)
    broken = {
        "half.json.gz": gzip.compress(b'{"Records": []}')[:-9],
        "no.json": b"[1, 2",
        "other.json": b'{"Events": []}',
        "bytes.json": b"\xff\xfe\x00",
        "deep.json": b"[" * 100_000,
        "odd.json": json.dumps(
            {
                "Records": [
                    7,
                    {"eventTime": 7, "userIdentity": "x"},
                    organization.event(requestParameters="text", userIdentity=[1]),
                    organization.event(
                        eventName="'; DROP TABLE read; --", identity={"arn": {"a": 1}}
                    ),
                ]
            }
        ).encode(),
    }
    for name, content in broken.items():
        (tmp_path / "trail" / name).write_bytes(content)
    document = reported(team, "--cloudtrail", str(tmp_path / "trail"))
    assert of_rules(document, source="cloudtrail") >= expected
    (source,) = [one for one in document["sources"] if one["kind"] == "cloudtrail"]
    for name in broken:
        assert any(name in warning for warning in source["warnings"]), name


def test_what_aws_lays_beside_events_is_passed_over(home: Home, tmp_path: Path) -> None:
    account = organization.ACCOUNTS[0]
    digest = {"awsAccountId": account, "logFiles": []}
    for kind, content in (
        ("CloudTrail", {"Records": [organization.event()]}), ("CloudTrail-Digest", digest),
        ("Config", {"configurationItems": []}), ("CloudTrail-Insight", {"Records": [{}]}),
    ):  # fmt: skip
        folder = tmp_path / f"AWSLogs/o-1/{account}/{kind}/eu-west-1/2026/01/01"
        folder.mkdir(parents=True)
        (folder / "one.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))
    document = home.run("report", "--cloudtrail", str(tmp_path), "--format", "json").ok().json
    source = document["sources"][1]
    assert (source["events"], source["warnings"]) == (1, [])


def test_nothing_read_is_exit_2_after_the_rest(team: Home, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    document = reported(team, "--cloudtrail", str(tmp_path / "empty"), code=2)
    assert any(one["kind"] == "machine" for one in document["sources"])
    assert team.run("report", "--cloudtrail", str(tmp_path / "missing")).code == 2


COLUMNS = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
    "mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,"
    "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date"
)


def row(user: str, *values: str) -> str:
    return ",".join([user, f"arn:aws:iam::{DEV}:user/{user}", "2020-01-01T00:00:00+00:00", *values])


def test_the_credential_report_of_an_account(team: Home, sandbox: Sandbox) -> None:
    now = datetime.now(UTC)
    old, idle, new = ((now - timedelta(days=days)).isoformat() for days in (120, 60, 3))
    none = ("false", "N/A", "N/A")
    sandbox.world.credential_report = "\n".join(
        [
            COLUMNS,
            row("<root_account>", "not_supported", new, "not_supported", "false", "true", new, new,
                *none),
            row("oldie", "false", "N/A", "N/A", "false", "true", old, new, *none),
            row("idler", "true", idle, idle, "true", "true", idle, idle, *none),
            row("twin", "false", "N/A", "N/A", "false", "true", new, new, "true", new, new),
            row("never", "true", "no_information", old, "false", "true", old, "N/A", *none),
            row("good", "true", new, new, "true", *none, *none),
        ]
    )  # fmt: skip
    document = reported(team, "--profile", "deploy")
    assert of_rules(document, source="credential-report") == {
        ("root-has-key", "root"), ("root-without-mfa", "root"), ("key-old", "oldie"),
        ("key-unused", "idler"), ("password-idle", "idler"), ("two-active-keys", "twin"),
        ("key-never-used", "never"), ("key-old", "never"), ("password-without-mfa", "never"),
        ("password-idle", "never"),
    }  # fmt: skip
    everywhere = reported(team, "--all", code=2)  # prod needs a person, and is named
    kinds = [one["kind"] for one in everywhere["sources"]]
    assert kinds.count("credential-report") == 3


NONE = ("false", "N/A", "N/A")


def report_of(sandbox: Sandbox, *rows: str, columns: str = COLUMNS) -> None:
    sandbox.world.credential_report = "\n".join([columns, *rows])


def test_days_of_the_credential_report_that_are_just_reached(team: Home, sandbox: Sandbox) -> None:
    now = datetime.now(UTC)

    def ago(days: float) -> str:
        return (now - timedelta(days=days)).isoformat(timespec="seconds")

    def keyed(name: str, made: float, used: float | None) -> str:
        key = ("true", ago(made), "N/A" if used is None else ago(used))
        return row(name, "false", "N/A", "N/A", "false", *key, *NONE)

    def typed(name: str, used: str, changed: float) -> str:
        return row(name, "true", used, ago(changed), "true", *NONE, *NONE)

    rows = [
        keyed("old", 90.1, 1), keyed("young", 89.9, 1), keyed("idle", 60, 45.1),
        keyed("busy", 60, 44.9), keyed("never", 7.1, None), keyed("new", 6.9, None),
        typed("away", ago(45.1), 60), typed("here", ago(44.9), 60),
        typed("unseen", "no_information", 45.1), typed("fresh", "no_information", 44.9),
        row("off", "false", "N/A", "N/A", "false", "false", ago(400), "N/A", *NONE),
    ]  # fmt: skip
    report_of(sandbox, *rows)
    assert of_rules(reported(team, "--profile", "deploy"), source="credential-report") == {
        ("key-old", "old"), ("key-unused", "idle"), ("key-never-used", "never"),
        ("password-idle", "away"), ("password-idle", "unseen"),
    }  # fmt: skip


def test_an_odd_credential_report_is_read_as_far_as_it_goes(team: Home, sandbox: Sandbox) -> None:
    evil = "=cmd|'/C calc'!A0;$(reboot)"
    old = (datetime.now(UTC) - timedelta(days=60)).isoformat()
    key = ("true", old, old)
    report_of(
        sandbox,
        row(f'"{evil}"', "true", old, old, "true", *key, *NONE, "x,y,z"),  # more columns
        "short,,",  # fewer
        row("odd", "maybe", "yesterday", "2026-13-45", "TRUE", "true", "no date", "", *NONE),
        "",
        columns="\ufeff" + COLUMNS + ",cert_1_active,cert_1_last_rotated",
    )
    document = reported(team, "--profile", "deploy")
    found = [one for one in document["findings"] if one["id"] == "key-unused"]
    assert [one["who"] for one in found] == [evil]
    assert shlex.split(found[0]["mend"])[5:7] == ["--user-name", evil]  # safe to copy


@pytest.mark.parametrize("content", ["", "user\nann", COLUMNS + "\n" + "x" * 200_000])
def test_a_credential_report_that_is_none_is_exit_2(
    team: Home, sandbox: Sandbox, content: str
) -> None:
    sandbox.world.credential_report = content
    document = reported(team, "--profile", "deploy", code=2)
    (source,) = [one for one in document["sources"] if one["kind"] == "credential-report"]
    assert "credential report" in source["warnings"][0]


def test_a_report_that_may_not_be_read_is_exit_2(team: Home, sandbox: Sandbox) -> None:
    sandbox.world.denied_actions.add("GenerateCredentialReport")
    document = reported(team, "--profile", "deploy", code=2)
    (source,) = [one for one in document["sources"] if one["kind"] == "credential-report"]
    assert "GenerateCredentialReport" in source["warnings"][0]


def test_this_machine(team: Home) -> None:
    (team.folder / ".aws").mkdir()
    keys = "aws_access_key_id = AKIA\naws_secret_access_key = s3cret-never-shown\n"
    (team.folder / ".aws" / "credentials").write_text(f"[old]\n{keys}")
    done = team.run("report", "--format", "json").ok()
    assert "s3cret" not in done.out
    assert {("plain-keys", "old"), ("static-without-mfa", "dev")} <= of_rules(
        json.loads(done.out), source="machine"
    )


def test_a_rule_is_silenced_with_a_reason_until_a_day(team: Home, sandbox: Sandbox) -> None:
    rule = "rule: static-without-mfa, who: 'd*', reason: a robot"
    for until, silenced in (("2999-12-31", True), ("2020-01-01", False)):
        ignore = f"report: {{ignore: [{{{rule}, until: {until}}}]}}\n"
        team.config(config("dev", sandbox=sandbox, head=f"team: payments\n{ignore}"))
        document = reported(team)
        assert bool(document["silenced"]) == silenced
        assert (("static-without-mfa", "dev") in of_rules(document, source="machine")) != silenced
    team.config(config("dev", head="report: {ignore: [{rule: x, until: soon}]}\n"))
    assert team.run("config", "check").code == 2


def test_fail_on_and_a_baseline(team: Home, tmp_path: Path) -> None:
    assert team.run("report", "--fail-on", "error").code == 0
    failing = team.run("report", "--fail-on", "warning", "--format", "json")
    assert failing.code == 9
    baseline = tmp_path / "baseline.json"
    baseline.write_text(failing.out)
    more = ("--fail-on", "warning", "--baseline", str(baseline))
    assert team.run("report", *more).code == 0
    (team.folder / ".aws").mkdir()
    (team.folder / ".aws" / "credentials").write_text(
        "[old]\naws_access_key_id = AKIA\naws_secret_access_key = s3cret\n"
    )
    assert team.run("report", *more).code == 9
    baseline.write_text("[]")
    assert team.run("report", *more).code == 2


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "action"}]
        if tag == "svg":
            assert dict(attrs)["aria-label"]


def test_the_page_is_whole_and_hostile_names_stay_text(team: Home, tmp_path: Path) -> None:
    organization.written(tmp_path / "trail", events=100)
    evil = "<img src=x onerror=alert(1)>"
    records = [organization.event(identity=organization.user(evil, "AKIAEVIL"))]
    (tmp_path / "trail" / "evil.json").write_text(json.dumps({"Records": records}))
    out = tmp_path / "report.html"
    done: Result = team.run(
        "report", "--cloudtrail", str(tmp_path / "trail"), "--format", "html", "--out", str(out)
    )
    done.ok()
    page = _Page()
    page.feed(out.read_text())
    assert not {"script", "img"} & set(page.tags)
    assert page.links == []
    assert page.tags.count("svg") >= 3
    assert page.tags.count("h1") == 1
    assert "&lt;img" in out.read_text()
    assert out.stat().st_mode & 0o777 == 0o600


def test_text_fits_a_screen_and_sarif_is_sarif(team: Home, tmp_path: Path) -> None:
    organization.written(tmp_path / "trail", events=100)
    trail = ("--cloudtrail", str(tmp_path / "trail"))
    text = team.run("report", *trail).ok().out
    assert len(text.splitlines()) <= 23
    assert len(team.run("report", *trail, "--verbose").ok().out.splitlines()) > 50
    assert "\x1b" not in text
    sarif = json.loads(team.run("report", *trail, "--format", "sarif").ok().out)
    (run,) = sarif["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        (place,) = result["locations"]  # GitHub refuses a result without a file
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "awslogin.yaml"


def crowded(findings: int) -> Report:
    """Findings of every rule, and sources that warn."""
    rules = list(RULES.values())
    found = [
        Finding.of(rules[number % len(rules)], f"arn:aws:iam::1:user/{number:03d}{'x' * 90}", "1")
        for number in range(findings)
    ]
    sources = [Source("credential-report", f"of {number}", warnings=["no"]) for number in range(50)]
    return Report(organization.NOON, sources, found, [])


@pytest.mark.parametrize("findings", [0, 1, 9, 500])
@pytest.mark.parametrize(("lines", "columns"), [(24, 80), (24, 40), (8, 30), (200, 120)])
def test_a_report_fits_its_screen(findings: int, lines: int, columns: int) -> None:
    text = as_text(crowded(findings), Screen(lines, columns), everything=False)
    shown = text.splitlines()
    assert len(shown) < lines
    assert max(map(len, shown)) <= columns
    assert shown[-1].count(",") == 2  # how many there are is always seen
    whole = as_text(crowded(findings), Screen(lines, columns), everything=True)
    assert whole.count("arn:aws") >= findings


def test_on_a_terminal_it_has_colours_unless_the_person_wants_none(team: Home) -> None:
    for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        main, tty = pty.openpty()
        termios.tcsetwinsize(tty, (24, 40))
        environ = team.env({"TERM": "xterm", **more})
        process = subprocess.Popen([COMMAND, "report"], env=environ, cwd=team.work, stdout=tty)
        os.close(tty)
        shown = b""
        with contextlib.suppress(OSError):  # Linux says so where the other side has closed
            while part := os.read(main, 4096):
                shown += part
        os.close(main)
        assert process.wait() == 0
        lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
        assert (b"\x1b[" in shown) == coloured
        assert max(map(len, lines)) <= 40
        assert len(lines) <= 23


BASELINES = {
    "no JSON": "{",
    "a list": "[]",
    "a number": "7",
    "findings of another kind": '{"findings": 7}',
    "a finding without its account": '{"findings": [{"id": "x", "who": "y"}]}',
    "a name that is none": '{"findings": [{"id": [], "who": {}, "account_id": null}]}',
    "silenced of another kind": '{"findings": [], "silenced": {"a": 1}}',
    "deep": "[" * 100_000,
    "bytes": "\udcff\udcfe",
}


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_that_is_none_is_exit_2(home: Home, tmp_path: Path, name: str) -> None:
    file = tmp_path / "baseline.json"
    file.write_bytes(BASELINES[name].encode(errors="surrogateescape"))
    done = home.run("report", "--fail-on", "info", "--baseline", str(file))
    assert (done.code, "--baseline" in done.err) == (2, True)


def test_each_level_fails_on_its_own_and_worse(team: Home, tmp_path: Path) -> None:
    def codes(*words: str) -> list[int]:
        levels = ("info", "warning", "error")
        return [team.run("report", "--fail-on", level, *words).code for level in levels]

    assert codes() == [9, 9, 0]  # a profile with keys asks for no code
    head = "report: {ignore: [{rule: static-without-mfa, reason: x, until: 2999-01-01}]}\n"
    text = "  long: {provider: keys, role_arn: 'arn:aws:iam::111122223333:role/x', duration: 9h}\n"
    team.config(config("dev", head=head) + text)
    assert codes() == [9, 0, 0]
    baseline = tmp_path / "baseline.json"
    baseline.write_text(team.run("report", "--format", "json").ok().out)
    assert codes("--baseline", str(baseline)) == [0, 0, 0]
    team.config(config("dev") + text)  # no longer silenced, but known: the baseline holds it
    assert codes("--baseline", str(baseline)) == [0, 0, 0]
    (team.folder / ".aws").mkdir()
    keys = "aws_access_key_id = AKIA\naws_secret_access_key = x\n"
    (team.folder / ".aws/credentials").write_text(f"[old]\n{keys}")
    assert codes("--baseline", str(baseline)) == [9, 9, 9]


def test_a_path_of_odd_bytes_is_reported_in_every_form(home: Home, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff\n"))
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps({"Records": [7, organization.event()]}))
    for form in ("text", "json", "html", "sarif"):
        words = ("--cloudtrail", str(folder), "--format", form)
        home.run("report", *words).ok()
        home.run("report", *words, "--out", str(tmp_path / form)).ok()
