"""Sessions that are used and end soon are got anew in children. Owns the children, not which."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time

from broker import isolated
from broker.agent.store import Place, Values

MAX_CHILDREN = 4
CONFIG_OPTIONS = {"given": "--config", "found": "--found"}
"""How a child is told which config counts; a file that was found is held to trust there too."""
MAX_SECONDS = 120.0
"""How long a child may take."""


def now() -> float:
    """Seconds that go on while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Refresh:
    """The children that sign in for sessions which need no person."""

    def __init__(self) -> None:
        self._children: list[tuple[subprocess.Popen[bytes], float]] = []

    def room(self) -> int:
        """How many more children there may be; those that take too long are ended first."""
        self._children = [(c, until) for c, until in self._children if not _ended(c, until)]
        return MAX_CHILDREN - len(self._children)

    def start(self, place: Place, environ: Values) -> None:
        """Start a child that hands a new session over.

        Args:
            place: What is signed in for.
            environ: Variables that shape the session: `+value`, or `-` where it is not set.
        """
        how, path, profile = (os.fsdecode(part) for part in place)
        command = [
            *isolated.command("broker.cli"),
            *("creds", profile, "--force", "--no-input"),
        ]
        if how in CONFIG_OPTIONS:
            command += [CONFIG_OPTIONS[how], path]
        merged = {name: v for name, v in os.environb.items() if name not in environ}
        merged |= {name: v[1:] for name, v in environ.items() if v[:1] == b"+"}
        if not os.path.isabs(os.path.expanduser(merged.get(b"AWSLOGIN_HOME", b"/"))):
            return  # the child would look for it from another folder
        null = subprocess.DEVNULL
        with contextlib.suppress(OSError):
            child = subprocess.Popen(
                command, env=merged, cwd=os.path.dirname(path) or "/",
                stdin=null, stdout=null, stderr=null, start_new_session=True,
            )  # fmt: skip
            self._children.append((child, now() + MAX_SECONDS))

    def kill(self) -> None:
        """End all children at once."""
        for child, _ in self._children:
            child.kill()


def _ended(child: subprocess.Popen[bytes], until: float) -> bool:
    if child.poll() is None and now() > until:
        child.kill()
    return child.poll() is not None
