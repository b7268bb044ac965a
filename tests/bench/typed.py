"""What a person types, and a press of TAB, where a session is fresh: against the bare interpreter.

Goals: the session as text and TAB at most 5 of `python -c pass`, `--version` 2, the others 12;
without the agent, from the encrypted file, 12 and what scrypt itself takes.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from broker.ports.vault import SCRYPT
from tests.configs import config
from tests.measure import Case, compare, installed
from tests.sandbox import Sandbox
from tests.support import Home

ROUNDS = 15
SCRYPT_ALONE = f"import hashlib; hashlib.scrypt(b'p', salt=b's' * 16, **{SCRYPT}, maxmem=1 << 27)"


def main() -> None:
    """All figures of one run."""
    programs = installed()
    print("what people type; goals: the session and TAB 5, --version 2, the others 12")
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="awslogin-bench-") as folder:
        home = Home(Path(folder), sandbox.env())
        home.config(config("dev", "deploy"))
        home.run("add", "dev", "--stdin", stdin=sandbox.bob.json, fresh=True).ok()
        del home.environ["AWSLOGIN_AGENT"]
        awslogin, python = str(programs / "awslogin"), str(programs / "python")
        env = home.env()
        off = env | {"AWSLOGIN_AGENT": "off"}
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
                    Case("scrypt of the encrypted file alone", [python, "-c", SCRYPT_ALONE], env),
                    Case("awslogin creds dev, no agent", [awslogin, "creds", "dev"], off),
                ],
                ROUNDS,
            )
        finally:
            home.run("agent", "stop")


if __name__ == "__main__":
    main()
