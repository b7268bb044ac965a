"""Other programs take our credentials unchanged, and new ones when these have ended."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import pytest

from tests.real.parts import clients
from tests.sandbox import Sandbox
from tests.sandbox.world import Keys
from tests.support import COMMAND, Home

LIFETIME = 12
"""Seconds that each session lasts; the clients start one after the other, so nobody waits long."""
CONFIG = """\
version: 1
team: payments
defaults: {region: eu-west-1}
providers:
  keys: {type: static}
profiles:
  dev: {provider: keys}
"""
ROLE = "arn:aws:iam::111122223333:role/Deploy"
ROUTES = ("credential_process", "endpoint")
PAIRS = [(client, route) for client in clients.NAMES for route in ROUTES]
Answers = dict[tuple[str, str], list[dict[str, str]]]


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


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Sandbox]]:
    """A machine with a profile for each client and route; its `[default]` is of no use."""
    with Sandbox() as sandbox:
        home = Home(tmp_path_factory.mktemp("clients"), sandbox.env())
        profiles = "".join(
            f"  {name}: {{source: dev, role_arn: {ROLE}, session_name: {name}}}\n"
            for name in [*(f"{client}-{route}" for client, route in PAIRS), "plain"]
        )
        home.config(CONFIG + profiles)
        keys = {"AccessKeyId": sandbox.bob.key_id, "SecretAccessKey": sandbox.bob.secret}
        home.run("add", "dev", "--stdin", stdin=json.dumps(keys)).ok()
        (home.folder / ".aws").mkdir()
        (home.folder / ".aws" / "credentials").write_text(
            "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = default\n"
        )
        home.run("setup").ok()
        yield home, sandbox


@pytest.fixture(scope="module")
def answers(
    team: tuple[Home, Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Answers]:
    """What each client was told at first, and after its first session had ended."""
    home, sandbox = team
    sandbox.world.lifetime = LIFETIME
    log = tmp_path_factory.mktemp("log") / "stderr"
    running: dict[tuple[str, str], Running] = {}
    with log.open("w") as err:
        try:
            for client, route in PAIRS:
                running[client, route] = started(home, client, route, err)
                running[client, route].ask()
            first = [keys for client, route in PAIRS for keys in used(sandbox, client, route)]
            time.sleep(max(0, *((keys.expires or 0) - sandbox.world.now() for keys in first)) + 0.1)
            for each in running.values():
                each.ask()
            yield {pair: each.answers for pair, each in running.items()}
        finally:
            for each in running.values():
                each.process.communicate(timeout=60)


def started(home: Home, client: str, route: str, err: IO[Any]) -> Running:
    name, words = f"{client}-{route}", clients.command(client)
    more = {"AWS_PROFILE": name, "AWSLOGIN_CONFIG": None}
    if route == "endpoint":
        words, more = [COMMAND, "exec", name, "--server", "--", *words], {}
    process = subprocess.Popen(
        words,
        env=clients.environ(home.env(more)),
        cwd=home.work if route == "endpoint" else "/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=err,
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


@pytest.mark.parametrize(("client", "route"), PAIRS, ids="-".join)
def test_a_client_signs_in_and_again_when_its_session_has_ended(
    team: tuple[Home, Sandbox], answers: Answers, client: str, route: str
) -> None:
    arn = f"arn:aws:sts::111122223333:assumed-role/Deploy/{client}-{route}"
    assert answers[client, route] == [{"arn": arn}, {"arn": arn}]
    first, *_, last = used(team[1], client, route)
    assert first.key_id != last.key_id


@pytest.mark.parametrize("client", clients.NAMES)
def test_a_client_takes_what_exec_and_env_set(team: tuple[Home, Sandbox], client: str) -> None:
    """As Terraform and all else that reads the environment do; `[default]`'s keys do not win."""
    home, sandbox = team
    sandbox.world.lifetime = None
    words = clients.command(client)
    environ = clients.environ(home.env({"AWS_PROFILE": "stale"}))
    for command in (
        [COMMAND, "exec", "plain", "--", *words],
        ["sh", "-c", f'eval "$({COMMAND} env plain)" && exec "$@"', "sh", *words],
    ):
        done = subprocess.run(
            command, env=environ, cwd=home.work, input="\n", capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["arn"].endswith("/Deploy/plain"), done.stdout
