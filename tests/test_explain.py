"""`explain`: what is kept of the session, and the next step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from broker.ports.clock import from_text, to_local_text
from tests.sandbox import Sandbox
from tests.support import Home

AUDIT = "arn:aws:iam::777788889999:role/Audit"
CONFIG = """\
version: 1
providers:
  keys: {type: static}
  ci: {type: web-identity, token: {env: AWS_OIDC_TOKEN}}
  job: {type: web-identity, token: {env: JOB_TOKEN}}
profiles:
  dev: {provider: keys}
  user: {source: dev, role_arn: "arn:aws:iam::111122223333:role/Deploy"}
  audit: {source: user, role_arn: "arn:aws:iam::777788889999:role/Audit"}
  deploy: {provider: [ci, job], role_arn: "arn:aws:iam::111122223333:role/Deploy"}
"""


def test_explain_tells_what_is_kept_and_the_next_step(signed_up: Home, sandbox: Sandbox) -> None:
    signed_up.config(CONFIG)
    told = signed_up.run("explain", "dev", "--output", "json").ok().json
    assert told["cache"] == {"file": None, "agent": False, "fresh_until": None}
    assert told["next"] == "`awslogin login dev` signs in"
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    session = signed_up.run("dev", "--output", "json").ok().json
    told = signed_up.run("explain", "dev", "--output", "json").ok().json
    until = from_text(told["cache"]["fresh_until"])
    assert until == from_text(session["expires_at"]) - timedelta(minutes=15)
    assert until > datetime.now(UTC)
    file = told["cache"]["file"]
    assert Path(file).is_file()
    assert told["next"].startswith("nothing to do: the session is fresh for ")
    text = signed_up.run("explain", "dev").ok().out
    assert f"session: fresh until {to_local_text(until)}  [{file}]" in text
    assert "\nnext: nothing to do" in text
    locked = signed_up.run("explain", "dev", env={"AWSLOGIN_PASSPHRASE": None}).ok().out
    assert f"session: kept  [{file}]" in locked
    assert "next: the session cannot be read without the keychain: " in locked
    assert "AWSLOGIN_PASSPHRASE" in locked


def test_what_nobody_has_trusted_is_to_be_read_first(signed_up: Home) -> None:
    found = signed_up.work / "awslogin.yaml"
    found.write_text(CONFIG)
    told = signed_up.run("explain", "dev", "--output", "json").ok().json
    assert told["next"] == f"`awslogin config trust {found}`, once you have read it"


def test_a_provider_that_cannot_work_here_is_the_next_step(signed_up: Home) -> None:
    signed_up.config(CONFIG)
    told = signed_up.run("explain", "deploy", "--output", "json").ok().json
    assert "AWS_OIDC_TOKEN" in told["next"]


def test_which_steps_of_a_chain_a_login_would_take(signed_up: Home, sandbox: Sandbox) -> None:
    signed_up.config(CONFIG)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    steps = signed_up.run("explain", "audit", "--output", "json").ok().json["steps"]
    assert [(step["profile"], step["runs"]) for step in steps] == [("user", True), ("audit", True)]
    signed_up.run("user").ok()
    told = signed_up.run("explain", "audit").ok().out
    assert "\n  user: a sign-in by keys (static), fresh until " in told
    assert f"\n→ audit: AssumeRole {AUDIT} with the session of user\n" in told
    locked = signed_up.run("explain", "audit", env={"AWSLOGIN_PASSPHRASE": None}).ok().out
    assert "\n→ user: " in locked


def test_defaults_that_say_nothing_are_for_verbose(signed_up: Home) -> None:
    signed_up.config(CONFIG)
    assert "null" not in signed_up.run("explain", "deploy").ok().out
    assert "null" in signed_up.run("--verbose", "explain", "deploy").ok().out
