"""Another user of this machine: what tests let somebody else try. The tests must run as root."""

from __future__ import annotations

import subprocess

from tests.real.parts.process import program
from tests.support import PATIENCE, Result

NOBODY = 65534


def started_as_nobody(code: str, *words: str) -> subprocess.Popen[str]:
    """Start Python code as another user, without our environment."""
    line = [program("setpriv"), "--reuid", str(NOBODY), "--clear-groups", "/usr/bin/env", "python3"]
    return subprocess.Popen(
        [*line, "-S", "-c", code, *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd="/", env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def as_nobody(code: str, *words: str) -> Result:
    """Run Python code as another user, to its end."""
    with started_as_nobody(code, *words) as process:
        out, err = process.communicate(timeout=PATIENCE)
    return Result(process.returncode, out, err)
