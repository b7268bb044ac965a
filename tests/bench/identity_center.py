"""200 roles on one sign-in, at a portal that takes 20 calls a second and counts strictly.

The budget is what 200 calls need at that rate, 10 s; the goal is 1.10 of it for the whole command.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from pathlib import Path

from tests.sandbox import Sandbox
from tests.support import Home
from tests.terminal import Terminal

ROLES, RATE, GOAL = 200, 20, 1.10


class SlidingWindow:
    """At most `RATE` calls in any second."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque()
        self.refused = 0

    def refuses(self, at: float) -> bool:
        """Whether a call that arrives now is one too many."""
        while self._taken and at - self._taken[0] >= 1:
            self._taken.popleft()
        if len(self._taken) >= RATE:
            self.refused += 1
            return True
        self._taken.append(at)
        return False


def main() -> None:
    """Both ways of counting."""
    print(f"{ROLES} roles, {RATE} calls a second: {ROLES / RATE:.1f} s at best, goal {GOAL:.2f}")
    for name in ("token bucket", "sliding window"):
        seconds, calling, refused, failed = run(strict=name == "sliding window")
        ratio = seconds * RATE / ROLES
        print(
            f"{name:15} {seconds:6.2f} s  ratio {ratio:.2f}  (calls {calling:.2f} s)"
            f"  refused {refused}  failed {failed}"
        )
    print(f"on paper, 1000 roles: {1000 / RATE:.1f} s at best, by the same rule")


def run(*, strict: bool) -> tuple[float, float, int, int]:
    """Seconds of `awslogin --all` and of its calls, calls refused, profiles that failed."""
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="awslogin-bench-") as folder:
        home = Home(Path(folder), sandbox.env())
        assigned = {f"{number:012}": ["Developer"] for number in range(ROLES)}
        sandbox.world.people["ann"].assigned |= assigned
        profiles = [
            f'  p{account}: {{provider: corp, account: "{account}", role: Developer}}'
            for account in assigned
        ]
        home.config(
            "version: 1\nproviders:\n  corp: {type: identity-center, region: eu-west-1,"
            f' start_url: "{sandbox.start_url}"}}\nprofiles:\n' + "\n".join(profiles) + "\n"
        )
        terminal = Terminal(home, f"p{0:012}")
        sandbox.approve(terminal.wait_for(r"the code (\S+)").group(1))
        terminal.finish().ok()
        before = len(sandbox.calls("portal"))
        window = SlidingWindow()
        sandbox.world.portal_rate = RATE
        if strict:
            sandbox.portal.refuses = window.refuses  # type: ignore[method-assign]
        start = time.monotonic()
        done = home.run("--all", "--force", "--output", "json", timeout=120)
        seconds = time.monotonic() - start
        calls = [asked.at for asked in sandbox.calls("portal")[before:]]
        return seconds, calls[-1] - calls[0], len(calls) - ROLES, ROLES - len(done.json)
