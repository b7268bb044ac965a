"""`--verbose` and `--debug`: steps, hosts, status and times, and never a secret."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from broker.cli import main
from broker.secret import Secret
from tests.configs import config, form, identity_center
from tests.sandbox import Sandbox
from tests.support import PASSPHRASE, Home, Result
from tests.test_identity_center_story import hurry, sign_in

REQUEST = r"(?m)^\[ *\d+\.\d{3} s\] (\S+) (127\.0\.0\.1:\d+) → (\d+), \d+ ms$"


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    hurry(signed_up, sandbox)
    signed_up.config(
        config(
            "dev",
            "deploy",
            "prod",
            sandbox=sandbox,
            providers={"corp": identity_center(sandbox.start_url), "sso": form(sandbox.idp.url)},
            stage='provider: corp, account: "111122223333", role: Developer',
            boss='provider: sso, account: "444455556666", role: Admin',
        )
    )
    return signed_up


def told(done: Result, sandbox: Sandbox, *typed: str) -> set[tuple[str, str, str]]:
    """The requests that a command told, if it showed nothing else of them and no secret."""
    shown = done.err + (done.out if '"version"' not in done.out else "")
    for secret in (*sandbox.secrets(), PASSPHRASE, *typed):
        assert secret not in shown
    for asked in sandbox.requests:
        assert asked.path in {"", "/"} or f"{asked.path} " not in shown
    assert "?" not in "".join(line for line in done.err.splitlines() if line.startswith("["))
    return set(re.findall(REQUEST, done.err))


def test_static_keys(team: Home, sandbox: Sandbox) -> None:
    team.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    done = team.run("dev", "--verbose").ok()
    host = urlsplit(sandbox.urls["sts"]).netloc
    assert ("sts.GetSessionToken", host, "200") in told(done, sandbox)
    for step in (f"config {team.folder}", "dev: keys (static) signs in", "dev: a new session"):
        assert step in done.err
    again = team.run("dev", "--verbose", "--output", "json").ok()
    assert "dev: the kept session is fresh" in again.err
    assert told(again, sandbox) == set()
    assert "[" not in team.run("dev").ok().err


def test_identity_center(team: Home, sandbox: Sandbox) -> None:
    done = sign_in(team, sandbox, "stage", "--verbose").finish().ok()
    oidc, portal = (urlsplit(sandbox.urls[name]).netloc for name in ("oidc", "portal"))
    requests = told(done, sandbox)
    assert ("sso-oidc.RegisterClient", oidc, "200") in requests
    assert ("sso.GetRoleCredentials", portal, "200") in requests
    assert ("sso-oidc.CreateToken", oidc, "200") in requests


def test_saml(team: Home, sandbox: Sandbox) -> None:
    password = sandbox.world.people["ann"].password
    done = team.run("boss", "--verbose", env={"AWSLOGIN_PASSWORD": password}).ok()
    idp, sts = (urlsplit(sandbox.urls[name]).netloc for name in ("idp", "sts"))
    requests = told(done, sandbox, password)
    assert {("GET", idp, "200"), ("POST", idp, "200")} <= requests
    assert ("sts.AssumeRoleWithSAML", sts, "200") in requests
    assert "SAMLResponse" not in done.err


def test_a_request_that_fails_is_told_too(team: Home, sandbox: Sandbox) -> None:
    sandbox.fault("idp", reset=True)
    done = team.run("boss", "--verbose", env={"AWSLOGIN_PASSWORD": "not this one"})
    assert done.code == 5
    assert re.search(r"GET 127\.0\.0\.1:\d+ → failed: ConnectionError, \d+ ms", done.err)
    assert told(done, sandbox, "not this one") == set()
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("option", "traced"), [("--quiet", False), ("--verbose", True), ("--debug", True)]
)
def test_a_defects_traceback(
    option: str,
    traced: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(_: object) -> object:
        raise KeyError(Secret("never-shown").reveal())

    monkeypatch.setattr(main, "_invoke", broken)
    assert main.run(["dev", option]) == 1
    shown = capsys.readouterr().err
    assert ("Traceback" in shown) is traced
    assert "a defect of awslogin: KeyError" in shown
    assert "'never-shown'" not in shown


def test_a_failures_traceback_is_asked_for(team: Home, sandbox: Sandbox) -> None:
    password = sandbox.world.people["ann"].password
    sandbox.fault(
        "idp", status=200, body=f"<p class=error>No: {password}</p>", action="/idp/password"
    )
    for words, traced in (((), False), (("--verbose",), False), (("--debug",), True)):
        done = team.run("boss", *words, env={"AWSLOGIN_PASSWORD": password})
        assert done.code not in {0, 1}
        assert ("Traceback" in done.err) is traced
        told(done, sandbox, password)
    assert "Traceback" in team.run("--debug", "explain", "nope").err
    assert "Traceback" not in team.run("exec", "nope", "--", "x", "--debug").err
