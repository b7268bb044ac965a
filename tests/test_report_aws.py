"""`report` over an organization's events at AWS: a table in Athena, a bucket of S3."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.report.athena import MAX_ROWS
from broker.report.document import RULES
from tests import organization
from tests.configs import config
from tests.sandbox import Sandbox, athena
from tests.support import Home

ATHENA = ("--athena", "security.trail", "--workgroup", "security", "--profile", "deploy")


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(config("dev", "deploy", "prod", sandbox=sandbox))
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[tuple[str, str]]]:
    folder = tmp_path_factory.mktemp("organization") / "trail"
    return folder, organization.written(folder, events=300)


def reported(home: Home, *words: str, code: int = 0) -> Any:
    done = home.run("report", "--format", "json", *words)
    assert done.code == code, done.out + done.err
    return json.loads(done.out)


def source(document: Any, kind: str) -> Any:
    (found,) = [one for one in document["sources"] if one["kind"] == kind]
    return found


def of_trail(document: Any) -> list[Any]:
    return [one for one in document["findings"] if RULES[one["id"]].source == "cloudtrail"]


def test_athena_finds_what_duckdb_finds(
    team: Home, sandbox: Sandbox, trail: tuple[Path, set[tuple[str, str]]]
) -> None:
    folder, expected = trail
    sandbox.athena.load(folder)
    sandbox.athena.parameters["projection.account.values"] = ",".join(organization.ACCOUNTS)
    sandbox.athena.parameters["projection.region.values"] = ",".join(organization.REGIONS)
    document = reported(team, *ATHENA)
    assert {(one["id"], one["who"]) for one in of_trail(document)} >= expected
    assert of_trail(document) == of_trail(reported(team, "--cloudtrail", str(folder)))
    told = source(document, "athena")
    queries = len(sandbox.athena.queries)
    assert queries == 7  # what `docs/report.md` counts
    assert f"{queries} MB scanned" in told["detail"]
    assert told["events"] > 300
    first, last = (datetime.fromisoformat(told[end]).date() for end in ("from", "to"))
    assert last - first == timedelta(days=90)
    for sql in sandbox.athena.queries:
        assert sql.count("FROM events") == sql.count('FROM "security"."trail"') == 1  # one scan
        assert f"\"timestamp\" BETWEEN '{first:%Y/%m/%d}' AND '{last:%Y/%m/%d}'" in sql
        assert re.search(r'"account" IN \(\'\d{12}\'', sql)
        assert "\"region\" IN ('eu-central-1', 'eu-west-1')" in sql


def test_bytes_that_may_be_scanned_are_a_bound(
    team: Home, sandbox: Sandbox, trail: tuple[Path, set[tuple[str, str]]]
) -> None:
    sandbox.athena.load(trail[0])
    document = reported(team, *ATHENA, "--max-scan", "3MB")
    assert len(sandbox.athena.queries) == 3  # one more would pass the bound
    assert "--max-scan is used up" in source(document, "athena")["warnings"][0]
    sandbox.athena.polls = 1  # it passes the bound while it runs
    document = reported(team, *ATHENA, "--max-scan", "500KB", code=2)
    assert sandbox.athena.stopped == ["00000000-0000-4000-8000-000000000004"]
    told = team.run("report", *ATHENA)
    assert "the workgroup security has 10 GB a query" in told.err


def test_more_rows_than_are_read_are_told(
    team: Home, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(athena, "PAGE_ROWS", 1000)
    records = [
        organization.event(identity=organization.user(f"user{n}"), eventName="CreateSAMLProvider")
        for n in range(MAX_ROWS + 1)
    ]
    (tmp_path / "trail").mkdir()
    text = json.dumps({"Records": records})
    (tmp_path / "trail/one.json.gz").write_bytes(gzip.compress(text.encode(), compresslevel=1))
    sandbox.athena.load(tmp_path / "trail")
    document = reported(team, *ATHENA)
    assert len(of_trail(document)) == MAX_ROWS
    (warning,) = source(document, "athena")["warnings"]
    assert f"more than {MAX_ROWS} rows" in warning


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"ending": ("FAILED", "HIVE_CANNOT_OPEN_SPLIT: Access Denied")}, "HIVE_CANNOT_OPEN"),
        ({"ending": ("CANCELLED", "Bytes scanned limit was exceeded")}, "Bytes scanned limit"),
        ({"refused": ("AccessDeniedException", "not authorized")}, "athena:*QueryExecution"),
        ({"refused": ("ThrottlingException", "Rate exceeded")}, "throttling"),
        ({"keys": []}, "no partition by day"),
        ({"columns": [("a", "string"), ("eventtime", "bigint")]}, "eventtime is bigint"),
    ],
)
def test_what_goes_wrong_is_named(
    team: Home, sandbox: Sandbox, knobs: dict[str, Any], words: str
) -> None:
    for name, value in knobs.items():
        setattr(sandbox.athena, name, value)
    document = reported(team, *ATHENA, code=2)
    assert words in " ".join(source(document, "athena")["warnings"])
    assert source(document, "machine")  # the rest is reported


@pytest.mark.parametrize(
    "words",
    [
        ("--athena", "security.trail"),
        ("--athena", "trail; DROP", "--workgroup", "security"),
        ("--athena", "a.b", "--workgroup", "x y"),
        (*ATHENA, "--max-scan", "much"),
        ("--cloudtrail", "s3://UPPER/x", "--profile", "deploy"),
    ],
)
def test_words_that_are_wrong(team: Home, words: tuple[str, ...]) -> None:
    assert team.run("report", *words).code == 2


def test_the_statement_that_makes_the_table(team: Home) -> None:
    text = team.run("report", "--athena-ddl").ok().out
    assert "'projection.account.values' = '111122223333,444455556666'" in text
    assert "'projection.region.values' = 'eu-west-1,us-east-1'" in text
    assert "${account}/CloudTrail/${region}/${timestamp}'" in text


def test_a_bucket_is_read_by_day_and_region(
    team: Home, sandbox: Sandbox, trail: tuple[Path, set[tuple[str, str]]]
) -> None:
    folder, expected = trail
    sandbox.s3.folder = folder
    url = ("--cloudtrail", "s3://trails/AWSLogs", "--profile", "deploy")
    document = reported(team, *url)
    assert {(one["id"], one["who"]) for one in of_trail(document)} >= expected
    assert of_trail(document) == of_trail(reported(team, "--cloudtrail", str(folder)))


def test_of_a_bucket_other_days_and_regions_are_not_listed(
    team: Home, sandbox: Sandbox, tmp_path: Path
) -> None:
    today, account = datetime.now(UTC), organization.ACCOUNTS[1]
    event = organization.event(eventTime=today.strftime("%Y-%m-%dT00:00:00Z"))
    for place in (
        f"eu-west-1/{today:%Y/%m/%d}",
        f"eu-north-1/{today:%Y/%m/%d}",
        "eu-west-1/2001/02/03",
    ):
        folder = tmp_path / f"AWSLogs/{account}/CloudTrail/{place}"
        folder.mkdir(parents=True)
        (folder / "one.json").write_text(json.dumps({"Records": [event]}))
    sandbox.s3.folder = tmp_path
    document = reported(
        team, "--cloudtrail", "s3://trails", "--profile", "deploy", "--region", "eu-west-1",
        "--days", "5",
    )  # fmt: skip
    assert source(document, "cloudtrail")["events"] == 1
    below = f"AWSLogs/{account}/CloudTrail/eu-west-1/"
    assert [one for one in sandbox.s3.listed if one.count("/") > 3] == [
        below, f"{below}{today:%Y}/", f"{below}{today:%Y/%m}/", f"{below}{today:%Y/%m/%d}/",
    ]  # fmt: skip


def test_a_bucket_that_may_not_be_read_is_named(team: Home, sandbox: Sandbox) -> None:
    words = ("--profile", "deploy", "--cloudtrail")
    missing = reported(team, *words, "s3://nobody", code=2)
    assert "NoSuchBucket" in source(missing, "cloudtrail")["warnings"][0]
    sandbox.s3.folder, sandbox.s3.refused = team.folder, "AccessDenied"
    refused = reported(team, *words, "s3://trails", code=2)
    assert "AccessDenied" in source(refused, "cloudtrail")["warnings"][0]
