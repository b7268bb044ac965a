"""`report` at moto's server: Athena's calls with canned answers, and IAM's credential report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
import pytest
import requests

from tests.configs import config
from tests.real.parts.moto import ACCOUNT, Moto
from tests.sandbox import Sandbox
from tests.support import Home

ATHENA = ("--athena", "security.trail", "--workgroup", "security", "--profile", "deploy")
FOUND = ("rule", "who", "account_id", "first_seen", "last_seen", "count", "evidence")
AT = "2026-01-01T00:00:00Z"
USER = f"arn:aws:iam::{ACCOUNT}:user/robot"


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox, moto: Moto) -> Home:
    """Keys at the sandbox's STS; IAM and Athena are moto's."""
    requests.post(f"{moto.url}/moto-api/reset", timeout=60).raise_for_status()
    athena = boto3.client(
        "athena", region_name="eu-west-1", endpoint_url=moto.url, aws_access_key_id="any",
        aws_secret_access_key="any",
    )  # fmt: skip
    place = {"ResultConfiguration": {"OutputLocation": "s3://x/"}}
    athena.create_work_group(Name="security", Configuration=place)
    moto.client("iam").create_user(UserName="ann")
    signed_up.config(config("dev", "deploy", sandbox=sandbox))
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    for service in ("ATHENA", "IAM"):
        signed_up.environ[f"AWS_ENDPOINT_URL_{service}"] = moto.url
    return signed_up


def answers(moto: Moto, *tables: Sequence[tuple[str, ...]]) -> None:
    """What the next queries answer: a header and rows each."""
    results: list[dict[str, Any]] = [
        {"rows": [{"Data": [{"VarCharValue": cell} for cell in row]} for row in table]}
        for table in tables
    ]
    asked = {"account_id": ACCOUNT, "region": "eu-west-1", "results": results}
    url = f"{moto.url}/moto-api/static/athena/query-results"
    requests.post(url, json=asked, timeout=60).raise_for_status()


def test_what_athena_answers_is_found(team: Home, moto: Moto) -> None:
    row = ("long-term-key-used", USER, ACCOUNT, AT, AT, "3", "AKIAX")
    answers(
        moto,
        [("day", "sign_ins", "uses", "count"), ("2026-01-01", "SAML", "federated", "7")],
        [("arn", "source_identity", "user_id")],
        [FOUND, row],
        *[[FOUND]] * 4,
    )
    done = team.run("report", *ATHENA, "--format", "json").ok()
    (found,) = [one for one in done.json["findings"] if one["id"] == "long-term-key-used"]
    assert (found["who"], found["count"]) == ("robot", 3)
    (source,) = [one for one in done.json["sources"] if one["kind"] == "athena"]
    assert source["events"] == 7
    (warning,) = source["warnings"]
    assert "GetTableMetadata" in warning


def test_an_answer_of_other_columns_is_named(team: Home, moto: Moto) -> None:
    answers(moto, [("_col0",), ("7",)])
    done = team.run("report", *ATHENA, "--format", "json")
    assert done.code == 2
    (source,) = [one for one in done.json["sources"] if one["kind"] == "athena"]
    assert "other columns" in " ".join(source["warnings"])
