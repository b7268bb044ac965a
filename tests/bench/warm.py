"""A command that finds a fresh session, and one that must get it: against the bare interpreter.

Goals: the command at most 1.3 of `python -c pass`, the line that `setup` writes at most 1.0, a
config of 10,000 profiles at most 1.1 of one profile, a new session at most 0.65 of AWS CLI's call,
beside what scrypt takes for the encrypted file; of the wall time of aws-vault on Secret Service at
most 0.75, and the endpoint 0.3 of its fastest.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.bench.secret_service import KEYS
from tests.bench.typed import SCRYPT_ALONE
from tests.configs import config
from tests.measure import Case, compare, installed, seconds
from tests.peers import SECRET_SERVICE, peers
from tests.sandbox import Sandbox
from tests.support import Home

ROUNDS = 41
MANY = 10_000
LINE = "the line that setup writes"
MANY_PROFILES = "awslogin creds, 10,000 profiles"
ONE = config("dev")


def main() -> None:
    """All figures of one run."""
    programs = installed()
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="awslogin-bench-") as folder:
        home = Home(Path(folder), sandbox.env())
        home.config(ONE)
        many = home.folder / "many.yaml"
        more = (f"  p{n}: {{source: dev, role_arn: '{_role(n)}'}}\n" for n in range(MANY - 1))
        many.write_text(ONE + "".join(more))
        home.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
        del home.environ["AWSLOGIN_AGENT"]
        awslogin, python = str(programs / "awslogin"), str(programs / "python")
        try:
            _compare(home, awslogin, python, many)
        finally:
            home.run("agent", "stop")


def _role(number: int) -> str:
    return f"arn:aws:iam::{100_000_000_000 + number}:role/Developer"


def _compare(home: Home, awslogin: str, python: str, many: Path) -> None:
    env = home.env()
    off = {**env, "AWSLOGIN_AGENT": "off"}
    time.sleep(0.1)
    seconds(Case("setup", [awslogin, "setup"], env))
    line = (home.folder / ".aws" / "config").read_text().partition("credential_process = ")[2]
    aws = shutil.which("aws", path=f"{Path(sys.executable).parent}:{env['PATH']}")
    ours = "awslogin creds"
    cases = [
        Case("python -c pass", [python, "-c", "pass"], env),
        Case(ours, [awslogin, "creds", "dev"], env),
        Case(LINE, shlex.split(line.partition("\n")[0]), env),
        Case(MANY_PROFILES, [awslogin, "creds", "dev", f"--config={many}"], env),
        Case("awslogin creds, sealed cache, no agent", [awslogin, "creds", "dev"], off),
        Case("aws --version", [str(aws), "--version"], env),
    ]
    with peers(home.folder, env) as theirs:
        ratios = compare([*cases, *theirs], ROUNDS)
    endpoint = _endpoint(home, median(seconds(cases[0])[1] for _ in range(ROUNDS)))
    print(f"10,000 profiles to one: {ratios[MANY_PROFILES].processor / ratios[ours].processor:.2f}")
    vault = [ratio.wall for name, ratio in ratios.items() if name.startswith("aws-vault")]
    if vault:
        for name in (ours, LINE):
            wall = ratios[name].wall / ratios[SECRET_SERVICE].wall
            print(f"{name}, wall time to aws-vault's on Secret Service: {wall:.2f}")
        print(f"endpoint to aws-vault's fastest: {endpoint / min(vault):.2f}")
    print("\na new session, against AWS CLI's call to the same server")
    given = json.loads(home.run("exec", "dev", "--", python, "-c", KEYS).ok().out)
    cold = [
        Case("aws sts get-caller-identity", [str(aws), "sts", "get-caller-identity"], env | given),
        Case("awslogin creds --force, agent", [awslogin, "creds", "dev", "--force"], env),
        Case("awslogin creds --force, no agent", [awslogin, "creds", "dev", "--force"], off),
    ]
    cold += [
        Case("scrypt of the encrypted file alone", [python, "-c", SCRYPT_ALONE], env),
        Case("python -c pass", [python, "-c", "pass"], env),
    ]
    of_aws = [ratio.processor for ratio in compare(cold, 15).values()]
    scrypt = of_aws[3] - of_aws[4]
    for case, ratio in zip(cold[1:3], of_aws[1:3], strict=True):
        print(f"{case.name}, beside scrypt; goal 0.65: {ratio - scrypt:.2f}")
    print("\n10,000 profiles: seconds are what counts; goal for list 2 s")
    complete = {**env, "_AWSLOGIN_COMPLETE": "powershell_complete"}
    compare(
        [
            Case("python -c pass", [python, "-c", "pass"], env),
            Case("list", [awslogin, "list", "--config", str(many)], env),
            Case("config check", [awslogin, "config", "check", "--config", str(many)], env),
            Case(
                "completion of a profile",
                [awslogin],
                complete | {"AWSLOGIN_CONFIG": str(many), "COMP_WORDS": "awslogin\ncreds\np99"},
            ),
        ],
        5,
    )


def _endpoint(home: Home, bare: float) -> float:
    """The agent's container endpoint: a request, against the wall time of the bare interpreter."""
    lines = home.run("env", "dev", "--server", "--output", "env").ok().out.splitlines()
    values = dict(
        line.removeprefix("export ").rstrip(";").split("=", 1) for line in lines if "=" in line
    )
    address = urlsplit(values["AWS_CONTAINER_CREDENTIALS_FULL_URI"].strip("'"))
    headers = {"Authorization": values["AWS_CONTAINER_AUTHORIZATION_TOKEN"].strip("'")}
    taken = []
    for _ in range(100):
        start = time.perf_counter()
        link = HTTPConnection(address.netloc, timeout=10)
        link.request("GET", address.path, headers=headers)
        assert link.getresponse().read()
        link.close()
        taken.append(time.perf_counter() - start)
    ours = median(taken)
    print(
        f"{'one request of the endpoint, no process':44}{'':12}{ours / bare:8.2f}{ours * 1000:8.1f}"
    )
    return ours / bare
