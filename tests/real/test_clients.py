"""Other programs take our credentials unchanged, and new ones when these have ended."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.configs import config
from tests.real.parts import clients
from tests.sandbox import Sandbox
from tests.sandbox.world import Keys
from tests.support import COMMAND, PATIENCE, Home

LIFETIME = 12
"""Seconds that each session lasts; the clients start one after the other, so nobody waits long."""
CONFIG = config("dev")
ROLE = "arn:aws:iam::111122223333:role/Deploy"
ROUTES = ("credential_process", "endpoint", "serve")
PAIRS = [(client, route) for client in clients.NAMES for route in ROUTES]


@dataclass
class Running:
    """A client that waits for its next line."""

    process: subprocess.Popen[str]
    answers: list[dict[str, str]]

    def ask(self) -> None:
        """Let it ask STS once."""
        asking, answering = self.process.stdin, self.process.stdout
        assert asking
        assert answering
        asking.write("\n")
        asking.flush()
        self.answers.append(json.loads(answering.readline() or '{"error": "it has ended"}'))


@pytest.fixture
def team(signed_up: Home, sandbox: Sandbox) -> Home:
    """A machine with a profile for each client and route; its `[default]` is of no use."""
    profiles = "".join(
        f"  {name}: {{source: dev, role_arn: {ROLE}, session_name: {name}}}\n"
        for name in [*(f"{client}-{route}" for client, route in PAIRS), "plain"]
    )
    signed_up.config(CONFIG + profiles)
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    (signed_up.folder / ".aws").mkdir()
    (signed_up.folder / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = default\n"
    )
    signed_up.run("setup").ok()
    return signed_up


@contextmanager
def served(home: Home) -> Iterator[dict[str, dict[str, str]]]:
    """The variables of each client's profile, from one `serve` for all of them."""
    names = [f"{client}-serve" for client in clients.NAMES]
    with home.start("serve", *names, "--output", "json") as process:
        assert process.stdout
        text = "".join(iter(process.stdout.readline, "}\n")) + "}"
        yield {
            row["profile"]: {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": row["uri"],
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": row["authorization_token"],
                "AWS_REGION": row["region"],
                "AWS_DEFAULT_REGION": row["region"],
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            }
            for row in json.loads(text)["profiles"]
        }
        process.terminate()
        process.communicate()


def started(home: Home, client: str, route: str, addresses: dict[str, dict[str, str]]) -> Running:
    name, words = f"{client}-{route}", clients.command(client)
    more: dict[str, str | None] = {"AWS_PROFILE": name, "AWSLOGIN_CONFIG": None}
    if route == "endpoint":
        words, more = [COMMAND, "exec", name, "--server", "--", *words], {}
    if route == "serve":
        more = {**addresses[name]}
    process = subprocess.Popen(
        words,
        env=clients.environ(home.env(more)),
        cwd=home.work if route == "endpoint" else "/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Running(process, [])


def used(sandbox: Sandbox, client: str, route: str) -> list[Keys]:
    """The keys with which a client has asked who it is, in order."""
    found = []
    for asked in sandbox.calls("sts", "GetCallerIdentity"):
        signed_by = re.search(r"Credential=(\w+)/", asked.headers["authorization"])
        assert signed_by
        found.append(sandbox.world.keys[signed_by[1]])
    return [keys for keys in found if keys.arn.endswith(f"/{client}-{route}")]


def test_every_client_signs_in_and_again_when_its_session_has_ended(
    team: Home, sandbox: Sandbox
) -> None:
    sandbox.world.lifetime, sandbox.world.overtime = LIFETIME, PATIENCE
    running: dict[tuple[str, str], Running] = {}
    with served(team) as addresses:
        try:
            for client, route in PAIRS:
                running[client, route] = started(team, client, route, addresses)
                running[client, route].ask()
            first = {pair: used(sandbox, *pair)[-1] for pair in PAIRS}
            time.sleep(
                max(0, *((keys.expires or 0) - sandbox.world.now() for keys in first.values()))
                + 0.1
            )
            for each in running.values():
                each.ask()
        finally:
            errors = {
                pair: each.process.communicate(timeout=PATIENCE)[1]
                for pair, each in running.items()
            }
    for (client, route), each in running.items():
        arn = f"arn:aws:sts::111122223333:assumed-role/Deploy/{client}-{route}"
        assert each.answers == [{"arn": arn}, {"arn": arn}], errors[client, route]
        assert used(sandbox, client, route)[-1].key_id != first[client, route].key_id


@pytest.mark.parametrize("client", clients.NAMES)
def test_a_client_takes_what_exec_and_env_set(team: Home, client: str) -> None:
    """As Terraform and all else that reads the environment do; `[default]`'s keys do not win."""
    words = clients.command(client)
    environ = clients.environ(team.env({"AWS_PROFILE": "stale"}))
    for command in (
        [COMMAND, "exec", "plain", "--", *words],
        ["sh", "-c", f'eval "$({COMMAND} env plain)" && exec "$@"', "sh", *words],
    ):
        done = subprocess.run(
            command, env=environ, cwd=team.work, input="\n",
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["arn"].endswith("/Deploy/plain"), done.stdout
