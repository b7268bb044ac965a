"""`console`: the federation endpoint takes the session, and the address opens the right page."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from broker import federation
from broker.cli import console
from broker.errors import UsageError
from tests.configs import PROFILES, config
from tests.real.parts import terminal
from tests.sandbox import Sandbox
from tests.support import COMMAND, PATIENCE, Home

ROOT = Path(__file__).parent.parent


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    text = config(
        "dev",
        "ann",
        "guarded",
        "prod",
        "audit",
        sandbox=sandbox,
        deploy=f"{PROFILES['deploy']}, duration: 2h",
        limited='provider: keys, policy_arns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]',
    )
    signed_up.config(text)
    signed_up.environ["AWSLOGIN_PASSWORD"] = sandbox.world.people["ann"].password
    return signed_up


def add(home: Home, profile: str, keys: Any) -> None:
    home.run("add", profile, "--stdin", stdin=keys.json).ok()


def asked_duration(sandbox: Sandbox) -> list[str | None]:
    asked = sandbox.calls("signin", "getSigninToken")
    assert all(call.method == "POST" and not call.query for call in asked)
    return [call.form.get("SessionDuration") for call in asked]


def opened(sandbox: Sandbox, address: str) -> tuple[str, str]:
    """A browser opens the address."""
    reply = requests.get(address.strip(), allow_redirects=False, timeout=PATIENCE)
    assert reply.status_code == 302, reply.text
    return sandbox.signin.opened[-1]


def test_a_first_role_may_name_its_duration(team: Home, sandbox: Sandbox) -> None:
    add(team, "dev", sandbox.bob)
    shown = team.run("console", "deploy", "--print").ok()
    assert shown.err == ""
    arn, page = opened(sandbox, shown.out)
    assert ":assumed-role/Deploy/" in arn
    assert page == "https://console.aws.amazon.com/console/home?region=eu-west-1"
    assert asked_duration(sandbox) == ["7200"]
    assert team.holds_in_plain(sandbox.secrets()) == []


def test_roles_taken_with_a_session_may_not(team: Home, sandbox: Sandbox) -> None:
    """With MFA by GetSessionToken, and chained ones; a SAML role is a first one."""
    add(team, "ann", sandbox.ann)
    code = {"AWSLOGIN_MFA_CODE": sandbox.code("ann")}
    addresses = [team.run("console", "guarded", "--print", env=code).ok().out]
    addresses += [team.run("console", name, "--print").ok().out for name in ("prod", "audit")]
    assert asked_duration(sandbox) == [None, "3600", None]
    roles = [opened(sandbox, address)[0].split("/")[1] for address in addresses]
    assert roles == ["MfaOnly", "Admin", "Audit"]


def test_a_user_needs_a_policy(team: Home, sandbox: Sandbox) -> None:
    add(team, "dev", sandbox.bob)
    error = team.run("console", "dev", "--output", "json").error
    assert error["exit"] == 2
    assert "policy" in error["hint"]
    assert sandbox.calls("sts") == []
    arn = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"
    address = team.run("console", "dev", "--policy-arn", arn).ok().out
    assert opened(sandbox, address)[0].endswith(":federated-user/ann")
    assert sandbox.world.granted[-1]["policy_arns"] == [arn]
    assert asked_duration(sandbox) == [None]


def test_a_users_policy_in_the_config(team: Home, sandbox: Sandbox) -> None:
    add(team, "limited", sandbox.bob)
    document = team.run("console", "limited", "--output", "json").ok().json
    assert (document["profile"], document["opened"]) == ("limited", False)
    opened(sandbox, document["url"])
    granted = sandbox.world.granted[-1]
    assert granted["policy_arns"] == ["arn:aws:iam::aws:policy/ReadOnlyAccess"]


def test_the_address_opens_in_the_browser(team: Home, sandbox: Sandbox, tmp_path: Path) -> None:
    """Its command line holds no address: a private file does, of a port that leads there once."""
    add(team, "dev", sandbox.bob)
    seen, led_to = tmp_path / "seen", tmp_path / "led-to"
    browser = tmp_path / "browser"
    browser.write_text(
        f"#!{sys.executable}\n"
        f"import os, sys, requests; sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.visited import address_in\n"
        "assert os.stat(sys.argv[1].removeprefix('file://')).st_mode & 0o77 == 0\n"
        "address = address_in(sys.argv[1])\n"
        "reply = requests.get(address, allow_redirects=False, timeout=120)\n"
        f"open({str(seen)!r}, 'w').write(address)\n"
        f"open({str(led_to)!r}, 'w').write(reply.headers['Location'])\n"
    )
    browser.chmod(0o755)
    done = terminal.run(
        [COMMAND, "console", "deploy", "--service", "s3"],
        env=team.env({"BROWSER": f"{browser} %s"}),
        pipe_out=True,
    )
    assert (done.code, done.out) == (0, "deploy: the console opens in the browser\n")
    door = urlsplit(seen.read_text())
    assert (door.scheme, door.hostname, door.query) == ("http", "127.0.0.1", "")
    page = "https://console.aws.amazon.com/s3/home?region=eu-west-1"
    assert opened(sandbox, led_to.read_text())[1] == page
    with pytest.raises(requests.ConnectionError):
        requests.get(door.geturl(), timeout=PATIENCE)


def test_a_browser_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is printed instead, as where there is no browser."""
    monkeypatch.setattr(console, "BROWSER_COMES", 0.0)
    ui = SimpleNamespace(browse=lambda url: True)
    notes: list[str] = []
    app: Any = SimpleNamespace(ui=ui, note=notes.append)
    assert not console._opened(app, "https://signin.example/federation?SigninToken=secret")
    assert len(notes) == 1
    assert "secret" not in notes[0]


def test_an_endpoint_that_fails(team: Home, sandbox: Sandbox) -> None:
    add(team, "dev", sandbox.bob)
    team.run("deploy").ok()
    faults: list[tuple[int, str, int]] = [
        (400, "", 3),
        (200, "<html>", 6),
        (200, "[]", 6),
        (200, '{"SigninToken": null}', 6),
    ]
    for status, body, code in faults:
        sandbox.fault("signin", status=status, body=body)
        done = team.run("console", "deploy", "--print", "--output", "json")
        assert done.error["exit"] == code
        sandbox.heal("signin")
    dead = {"AWSLOGIN_FEDERATION_URL": "http://127.0.0.1:9/federation"}
    assert team.run("console", "deploy", "--print", env=dead).code == 5
    plain = {"AWSLOGIN_FEDERATION_URL": "http://example.com/federation"}
    assert team.run("console", "deploy", "--print", env=plain).code == 2


def test_words_that_make_no_sense(team: Home, sandbox: Sandbox) -> None:
    add(team, "dev", sandbox.bob)
    for words in (
        ("--service", "s3", "--destination", "https://console.aws.amazon.com/"),
        ("--service", "../evil"),
        ("--destination", "https://evil.example/"),
        ("--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ):
        assert team.run("console", "deploy", *words).code == 2
    assert sandbox.requests == []


PARTITIONS = [
    ("aws", "eu-west-1", "signin.aws.amazon.com", "console.aws.amazon.com"),
    ("aws-cn", "cn-north-1", "signin.amazonaws.cn", "console.amazonaws.cn"),
    (
        "aws-us-gov",
        "us-gov-west-1",
        "signin.amazonaws-us-gov.com",
        "console.amazonaws-us-gov.com",
    ),
    (
        "aws-eusc",
        "eusc-de-east-1",
        "eusc-de-east-1.signin.amazonaws-eusc.eu",
        "console.amazonaws-eusc.eu",
    ),
]


@pytest.mark.parametrize(("partition", "region", "signin", "console"), PARTITIONS)
def test_each_partition_has_its_hosts(
    partition: str, region: str, signin: str, console: str
) -> None:
    endpoint = federation.endpoint(partition, region, {})
    assert endpoint == f"https://{signin}/federation"
    page = federation.destination(partition, region, service="logs", url=None)
    assert page == f"https://{console}/cloudwatch/home?region={region}"
    address = urlsplit(federation.login_url(endpoint, page, "token&"))
    assert dict(parse_qsl(address.query)) == {
        "Action": "login",
        "Issuer": "awslogin",
        "Destination": page,
        "SigninToken": "token&",
    }
    own = f"https://{console}/x"
    assert federation.destination(partition, region, service=None, url=own) == own


@pytest.mark.parametrize(
    "url",
    [
        "http://console.aws.amazon.com/",
        "https://console.amazonaws.cn/",
        "https://console.aws.amazon.com.evil.example/",
        "https://evilaws.amazon.com/",
        "https://console.aws.amazon.com@evil.example/",
        "javascript:alert(1)",
        "https://evil.com\\.aws.amazon.com/",
        "https://evil.com\\@console.aws.amazon.com/",
        "https://evil.com%2f.aws.amazon.com/",
        "https://evil.com%5c.aws.amazon.com/",
        "https://evil.com\t.aws.amazon.com/",
        "https://evil.com／.aws.amazon.com/",
        "https://evil.com／x.aws.amazon.com/",
        "https:evil.com/.aws.amazon.com/",
        "https:///evil.com/.aws.amazon.com",
        "https://console.aws.amazon.com:x@evil.com/",
        "https://console.aws.amazon.com\n.evil.com/",
    ],
)
def test_a_destination_of_another_site(url: str) -> None:
    with pytest.raises(UsageError):
        federation.destination("aws", "eu-west-1", service=None, url=url)


def test_a_partition_that_is_not_known() -> None:
    with pytest.raises(UsageError, match="aws-iso"):
        federation.endpoint("aws-iso", "us-iso-east-1", {})


def test_endpoints_of_tests_never_lead_to_aws() -> None:
    base = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566/"}
    assert federation.endpoint("aws", "x", base) == "http://127.0.0.1:4566/federation"
    own = base | {"AWS_ENDPOINT_URL_SIGNIN": "http://127.0.0.1:1"}
    assert federation.endpoint("aws", "x", own) == "http://127.0.0.1:1/federation"


def test_a_host_that_stands_in_for_the_federation_endpoint_is_named(
    team: Home, sandbox: Sandbox
) -> None:
    add(team, "dev", sandbox.bob)
    elsewhere = {"AWSLOGIN_FEDERATION_URL": "https://console.corp.invalid/federation"}
    done = team.run("console", "deploy", "--print", env=elsewhere)
    assert done.code == 5
    assert "console.corp.invalid stands in for AWS" in done.err
    assert "stands in" not in team.run("console", "deploy", "--print").ok().err
