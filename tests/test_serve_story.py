"""`serve`: sessions for programs that are not our children."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.configs import config
from tests.real.parts.process import free_port
from tests.sandbox import Sandbox
from tests.strangers import as_nobody
from tests.support import PATIENCE, Home
from tests.terminal import Terminal

ASK = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
TAKE = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": sys.argv[2]})
try:
    print(urllib.request.urlopen(request, timeout=120).status)
except Exception as error:
    print(type(error).__name__)
"""
Serve = Callable[..., tuple["subprocess.Popen[str]", Any]]


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    signed_up.config(config("dev", "deploy"))
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    return signed_up


@pytest.fixture
def serve(team: Home) -> Iterator[Serve]:
    """Starts the server; the process, and the JSON that it prints once it listens."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], Any]:
        process = team.start("serve", *words, "--output", "json")
        started.append(process)
        assert process.stdout
        text = ""
        while line := process.stdout.readline():
            text += line
            if line == "}\n":
                break
        return process, json.loads(text)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def get(row: dict[str, str], **headers: str) -> requests.Response:
    given = {"Authorization": row["authorization_token"], **headers}
    return requests.get(row["uri"], headers=given, timeout=PATIENCE)


def test_sdks_get_the_session_by_the_two_variables(
    serve: Serve, team: Home, sandbox: Sandbox
) -> None:
    _, served = serve("deploy")
    (row,) = served["profiles"]
    assert set(served) == {"port", "pid", "profiles"}
    assert set(row) == {"profile", "uri", "authorization_token", "region"}
    assert (row["profile"], row["region"]) == ("deploy", "eu-west-1")
    assert row["uri"].startswith(f"http://127.0.0.1:{served['port']}/")
    client = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": row["uri"],
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": row["authorization_token"],
        "AWS_DEFAULT_REGION": row["region"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=team.env(client), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ":assumed-role/Deploy/" in done.stdout, done.stderr


def test_several_profiles_have_a_path_and_a_token_each(serve: Serve) -> None:
    _, served = serve("dev", "deploy")
    dev, deploy = served["profiles"]
    keys = [get(row).json()["AccessKeyId"] for row in (dev, deploy)]
    assert len(set(keys)) == 2
    assert get(dev, Authorization=deploy["authorization_token"]).status_code == 403


def test_who_is_refused(serve: Serve) -> None:
    _, served = serve("dev")
    (row,) = served["profiles"]
    assert get(row, Authorization="x").status_code == 403
    assert get(row, Host="evil.example").status_code == 403
    token = {"Authorization": row["authorization_token"]}
    head = requests.head(row["uri"], headers=token, timeout=PATIENCE)
    assert (head.status_code, head.headers["Allow"]) == (405, "GET")
    assert as_nobody(TAKE, row["uri"], row["authorization_token"]).out.strip() != "200"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_it_ends_cleanly(serve: Serve, number: signal.Signals) -> None:
    process, served = serve("dev")
    os.kill(served["pid"], number)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == (130 if number == signal.SIGINT else 0)
    assert "Traceback" not in err
    with pytest.raises(requests.ConnectionError):
        get(served["profiles"][0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_ends_while_it_signs_in(team: Home, sandbox: Sandbox, number: signal.Signals) -> None:
    """A person may have ten minutes for that at a browser."""
    sandbox.fault("sts", hang=600)
    with team.start("serve", "dev", "--output", "json") as process:
        while not sandbox.calls("sts", "GetSessionToken"):
            assert process.poll() is None
        os.kill(process.pid, number)
        out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (-number, "")


def test_it_ends_after_its_time(serve: Serve) -> None:
    process, _ = serve("dev", "--for", "1s")
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_it_ends_when_its_terminal_goes(team: Home) -> None:
    terminal = Terminal(team, "serve", "dev")
    terminal.wait_for("Ctrl-C ends it")
    assert terminal.hang_up().code == 0


def test_a_port_in_use_is_told_before_anybody_signs_in(team: Home, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = team.run("serve", "dev", "--port", port)
    assert done.code == 2
    assert port in done.err
    assert sandbox.calls("sts", "GetSessionToken") == []


def test_a_fixed_port_is_that_one(serve: Serve) -> None:
    port = free_port()
    _, served = serve("dev", "--port", str(port))
    assert served["port"] == port


@pytest.mark.parametrize("output", ["env", "fish", "powershell", "cmd", "dotenv"])
def test_shells_get_the_two_variables(team: Home, output: str) -> None:
    done = team.run("serve", "dev", "--for", "1s", "--output", output).ok()
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in done.out
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN" in done.out
    assert "ASIA" not in done.out


def test_text_holds_no_secret(team: Home) -> None:
    done = team.run("serve", "dev", "--for", "1s").ok()
    assert done.out.startswith("dev: served at http://127.0.0.1:")
    assert "TOKEN" not in done.out


def test_several_are_text_or_json_alone(team: Home) -> None:
    assert team.run("serve", "dev", "deploy", "--output", "env").code == 2


def test_one_that_cannot_sign_in_serves_nobody(team: Home) -> None:
    team.config(config("dev", "deploy", other="provider: keys"))
    error = team.run("serve", "dev", "other", "--output", "json").error
    assert (error["profile"], error["exit"] != 0) == ("other", True)
