"""What a person types, and a press of TAB, where a session is fresh: against the bare interpreter.

Goals: the session as text and TAB at most 5 of `python -c pass`, `--version` 2, the others 12.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.configs import config
from tests.measure import Case, compare, installed
from tests.sandbox import Sandbox
from tests.support import Home

ROUNDS = 15


def main() -> None:
    """All figures of one run."""
    programs = installed()
    print("what people type; goals: the session and TAB 5, --version 2, the others 12")
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="awslogin-bench-") as folder:
        home = Home(Path(folder), sandbox.env())
        home.config(config("dev", "deploy"))
        home.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
        del home.environ["AWSLOGIN_AGENT"]
        awslogin, python = str(programs / "awslogin"), str(programs / "python")
        env = home.env()
        tab = {"_AWSLOGIN_COMPLETE": "bash_complete", "COMP_WORDS": "awslogin d", "COMP_CWORD": "1"}
        time.sleep(0.1)  # until the config is old enough for its fingerprint
        try:
            home.run("dev").ok()
            compare(
                [
                    Case("python -c pass", [python, "-c", "pass"], env),
                    Case("awslogin dev", [awslogin, "dev"], env),
                    Case("TAB", [awslogin], env | tab),
                    Case("awslogin --version", [awslogin, "--version"], env),
                    Case("awslogin status", [awslogin, "status"], env),
                    Case("awslogin list", [awslogin, "list"], env),
                    Case("awslogin --help", [awslogin, "--help"], env),
                ],
                ROUNDS,
            )
        finally:
            home.run("agent", "stop")


if __name__ == "__main__":
    main()
