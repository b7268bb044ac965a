"""`report` over a synthetic organization's events, beside DuckDB's own reading of the same files.

`python -m tests.bench report --millions 4` for another size than 1; 0.1 takes seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import organization
from tests.preloaded import COMMAND

COUNTING = """\
import sys, duckdb
pattern = sys.argv[1] + "/**/*.json.gz"
events = "(SELECT unnest(Records) FROM read_json(?, maximum_object_size = 67108864))"
print(duckdb.execute(f"SELECT count(*) FROM {events}", [pattern]).fetchone()[0])
"""
MOST_RATIO, MOST_MIB = 1.5, 1024
ROUNDS = 3


def main(words: list[str] | None = None) -> None:
    """Make the events, read them both ways in turn, and print what was seen."""
    parser = argparse.ArgumentParser(prog="tests.bench report")
    parser.add_argument("--millions", type=float, default=1)
    events = int(parser.parse_args(words or []).millions * 1_000_000)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        expected = organization.written(folder / "trail", events=events)
        expected |= {("console-login-beside-sso", "lea")}
        config = folder / "config.yaml"
        config.write_text(organization.CONFIG)
        command = [str(COMMAND), "report", "--config", str(config), "--format", "json"]
        command += ["--cloudtrail", str(folder / "trail")]
        counting = [sys.executable, "-c", COUNTING, str(folder / "trail")]
        best: dict[str, float] = {}
        most = 0
        for _ in range(ROUNDS):
            for name, words_ in (("DuckDB's count", counting), ("report", command)):
                seconds, memory, printed = _run(words_, folder)
                best[name] = min(seconds, best.get(name, seconds))
                if name == "report":
                    most = max(most, memory)
        document = json.loads(printed)
    found = {
        (one["id"], one["who"])
        for one in document["findings"]
        if one["account_id"] in organization.ACCOUNTS and one["first_seen"]
    }
    for name, seconds in best.items():
        print(f"{events} events, {name}: {seconds:.2f} s")
    ratio = best["report"] / best["DuckDB's count"]
    print(f"ratio {ratio:.2f} (at most {MOST_RATIO}), {most} MiB (at most {MOST_MIB})")
    print("planted findings:", "exactly" if found == expected else found ^ expected)


def _run(words: list[str], home: Path) -> tuple[float, int, str]:
    """Seconds, MiB of the largest process, and stdout."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "AWSLOGIN_AGENT": "off"}
    out = home / "printed"
    start = time.monotonic()
    with out.open("wb") as stream:
        process = subprocess.Popen(words, stdout=stream, env=environ)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise RuntimeError(f"{words[0]} ended with {status}")
    return seconds, usage.ru_maxrss >> 10, out.read_text()


if __name__ == "__main__":
    main(sys.argv[1:])
