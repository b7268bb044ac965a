"""`report` over a synthetic organization's events, beside DuckDB's own reading of the same files.

`python -m tests.bench report --millions 0.1 1 4` for other sizes than 1; 0.1 takes seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds, those of the processors, and MiB of its largest process."""

    seconds: float
    processor: float
    memory: int


def main(words: list[str] | None = None) -> None:
    """Read organizations of these sizes both ways in turn, and print what was seen."""
    parser = argparse.ArgumentParser(prog="tests.bench report")
    parser.add_argument("--millions", type=float, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args(words or [])
    for millions in asked.millions:
        with tempfile.TemporaryDirectory() as made:
            _compare(Path(made), millions, asked.rounds)


def _compare(folder: Path, millions: float, rounds: int) -> None:
    expected = organization.written(folder / "trail", events=int(millions * 1_000_000))
    expected |= {("console-login-beside-sso", "lea")}
    config = folder / "config.yaml"
    config.write_text(organization.CONFIG)
    command = [str(COMMAND), "report", "--config", str(config), "--format", "json"]
    command += ["--cloudtrail", str(folder / "trail")]
    counting = [sys.executable, "-c", COUNTING, str(folder / "trail")]
    counts, reports = [], []
    for _ in range(rounds):
        counts.append(_run(counting, folder)[0])
        cost, printed = _run(command, folder)
        reports.append(cost)
    for name, costs in (("DuckDB's count", counts), ("report", reports)):
        seconds, processor = _best(costs)
        print(
            f"{millions:g} million events, {name}: {seconds:.2f} s, {seconds / millions:.2f} s a"
            f" million; of the processors {processor:.2f} s, {processor / millions:.2f} s a million"
        )
    count, report = _best(counts), _best(reports)
    print(
        f"ratio {report[0] / count[0]:.2f} (at most {MOST_RATIO}), of the processors"
        f" {report[1] / count[1]:.2f}; {max(cost.memory for cost in reports)} MiB"
        f" (at most {MOST_MIB})"
    )
    found = {
        (one["id"], one["who"])
        for one in json.loads(printed)["findings"]
        if one["account_id"] in organization.ACCOUNTS and one["first_seen"]
    }
    print("planted findings:", "exactly" if found == expected else found ^ expected, flush=True)


def _best(costs: list[Cost]) -> tuple[float, float]:
    return min(cost.seconds for cost in costs), min(cost.processor for cost in costs)


def _run(words: list[str], home: Path) -> tuple[Cost, str]:
    """What it took, and stdout."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "AWSLOGIN_AGENT": "off"}
    out = home / "printed"
    start = time.monotonic()
    with out.open("wb") as stream:
        process = subprocess.Popen(words, stdout=stream, env=environ)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise RuntimeError(f"{words[0]} ended with {status}")
    cost = Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss >> 10)
    return cost, out.read_text()


if __name__ == "__main__":
    main(sys.argv[1:])
