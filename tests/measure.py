"""Measures commands side by side: processor and wall time, each as a ratio to the first of them.

One run compares all of its commands in turn, round after round, so that a busy machine is as unkind
to one as to the other; of the rounds' ratios the medians are told.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
VENV = ROOT / "build" / "bench"


@dataclass(frozen=True)
class Case:
    """A command and the environment it runs in."""

    name: str
    words: list[str]
    env: Mapping[str, str]


def installed() -> Path:
    """The `bin` folder of a virtual environment with awslogin alone, as a user has it."""
    if not (VENV / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check", str(ROOT)]
    subprocess.run(pip, check=True)
    subprocess.run([*pip, "--no-deps", "--force-reinstall"], check=True)
    return VENV / "bin"


def seconds(case: Case) -> tuple[float, float]:
    """Processor and wall seconds of one run, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    code = os.waitpid(_spawned(case), 0)[1]
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert code == 0, f"{case.name}: {' '.join(case.words)} ended with {code}"
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, wall


def _spawned(case: Case) -> int:
    null = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    return os.posix_spawnp(case.words[0], case.words, dict(case.env), file_actions=[null])


class Ratio(NamedTuple):
    """Of one command's times to the first command's."""

    processor: float
    wall: float


def compare(cases: Sequence[Case], rounds: int) -> dict[str, Ratio]:
    """Print each command's ratios to the first one, and return them by name."""
    for case in cases:
        seconds(case)
    taken = [[seconds(case) for case in cases] for _ in range(rounds)]
    ratios = {}
    print(f"{'':44}{'processor':>12}{'wall':>8}{'ms':>8}")
    for place, case in enumerate(cases):
        processor = median(row[place][0] / row[0][0] for row in taken)
        wall = median(row[place][1] / row[0][1] for row in taken)
        own = median(row[place][0] for row in taken) * 1000
        print(f"{case.name:44}{processor:12.2f}{wall:8.2f}{own:8.1f}", flush=True)
        ratios[case.name] = Ratio(processor, wall)
    return ratios
