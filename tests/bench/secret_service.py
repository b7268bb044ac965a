"""Without the agent, with the keys in a real Secret Service: no passphrase has to be stretched.

Goals: a fresh session at most 12 of `python -c pass`; a new one at most 0.65 of AWS CLI's call to
the same server, with the agent and without.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.configs import config
from tests.measure import Case, compare, installed
from tests.real.parts import secret_service
from tests.sandbox import Sandbox
from tests.support import Home

ROUNDS = 15
KEYS = (
    "import json, os; print(json.dumps({n: v for n, v in os.environ.items()"
    " if n.startswith('AWS_') and 'ENDPOINT' not in n}))"
)
"""Prints the session that a child of `exec` is given."""


def main() -> None:
    """All figures of one run."""
    programs = installed()
    with (
        Sandbox() as sandbox,
        tempfile.TemporaryDirectory(prefix="awslogin-bench-") as folder,
        secret_service.unlocked(Path(folder) / "bus") as bus,
    ):
        home = Home(Path(folder), sandbox.env() | bus).without_vault()
        home.config(config("dev"))
        home.run("add", "dev", "--stdin", stdin=sandbox.bob.json, fresh=True).ok()
        del home.environ["AWSLOGIN_AGENT"]
        time.sleep(0.1)  # until the config is old enough for its fingerprint
        try:
            _compare(home, str(programs / "awslogin"), str(programs / "python"))
        finally:
            home.run("agent", "stop")


def _compare(home: Home, awslogin: str, python: str) -> None:
    env = home.env()
    off = env | {"AWSLOGIN_AGENT": "off"}
    aws = shutil.which("aws", path=f"{Path(sys.executable).parent}:{env['PATH']}")
    given = json.loads(home.run("exec", "dev", "--", python, "-c", KEYS).ok().out)
    print("a fresh session; goal 12")
    compare(
        [
            Case("python -c pass", [python, "-c", "pass"], env),
            Case("awslogin creds, no agent", [awslogin, "creds", "dev"], off),
        ],
        ROUNDS,
    )
    print("\na new session, against AWS CLI's call to the same server; goal 0.65")
    compare(
        [
            Case(
                "aws sts get-caller-identity", [str(aws), "sts", "get-caller-identity"], env | given
            ),
            Case("awslogin creds --force, agent", [awslogin, "creds", "dev", "--force"], env),
            Case("awslogin creds --force, no agent", [awslogin, "creds", "dev", "--force"], off),
        ],
        ROUNDS,
    )


if __name__ == "__main__":
    main()
