"""Migrations that are killed: at each point of each step, and at random moments.

`python -m tests.killed_migrations [SEED]` kills at every point, and then at 30 random moments. The
suite takes a few seeded points. After each kill the next runs end the migration whole, or take it
back whole; until its last step the key works, and the keychain holds it.
"""

from __future__ import annotations

import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.sandbox import Sandbox
from tests.support import Home, Result, cheap_vault

BEFORE = """\
# ours
version: 1
team: payments
defaults: {region: eu-west-1}
providers:
  ci: {type: web-identity, token: {env: T}}   # the new way
  keys: {type: static}
profiles:
  dev: {provider: keys}  # mine
"""
AFTER = BEFORE.replace("keys}  # mine", 'ci, account: "111122223333", role: CiDeploy}  # mine')
FORWARD = ("migrate", "dev", "--to", "ci", "--role", "CiDeploy", "--quiet-days", "0")
BACK = ("migrate", "dev", "--undo")
RANDOM_KILLS = 30
MOST_RUNS = 6

STEPS: dict[str, tuple[int, tuple[str, ...]]] = {
    "switch": (0, FORWARD),
    "deactivate": (1, FORWARD),
    "delete": (2, FORWARD),
    "undo of the switch": (1, BACK),
    "undo of the deactivation": (2, BACK),
}
"""By name: how many steps were taken before it, and its command."""


class KilledMigrations:
    """One machine whose `dev` migrates again and again.

    Args:
        home: It, its AWS the sandbox.
        sandbox: AWS.
    """

    def __init__(self, home: Home, sandbox: Sandbox) -> None:
        self.home = home
        self.sandbox = sandbox
        sandbox.world.key_managers = {"CiDeploy"}
        home.config(BEFORE)
        home.environ["T"] = sandbox.issuer.token()
        home.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
        self._snapshots = [self._snapshot("0")]
        for number in (1, 2):
            home.run(*FORWARD).ok()
            self._snapshots.append(self._snapshot(str(number)))

    @property
    def text(self) -> str:
        """The config."""
        return (self.home.folder / "config.yaml").read_text()

    def begin_again(self) -> None:
        """As it was before the first step."""
        self._snapshots[0]()

    def killed_at(self, step: str, point: int, *, back: bool) -> bool:
        """Kill a step at a point, then end it; False where it has no such point.

        Args:
            step: A name of `STEPS`.
            point: Its number, from 1.
            back: End it by `--undo`, where that can be; else by going on.
        """
        taken, words = STEPS[step]
        self._snapshots[taken]()
        self.home.changes["killed_at_step"] = point
        done = self.home.run(*words)
        del self.home.changes["killed_at_step"]
        if done.code != -signal.SIGKILL:
            done.ok()
            return False
        self.end(was_undo=words is BACK, back=back)
        return True

    def killed_after(self, seconds: float) -> None:
        """Kill whatever step comes next after this time, unless it has ended by then."""
        with self.home.start(*FORWARD) as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)

    def end(self, *, was_undo: bool = False, back: bool = False) -> None:
        """The next runs end it, and nothing is lost."""
        if back:
            undone = self.home.run(*BACK)
            if undone.code == 0 or "not on its way" in undone.err:
                assert self._is_back(), self.text
                return
            assert "is deleted" in undone.err or "gone at AWS" in undone.err, undone.err
        elif was_undo:
            self.home.run("migrate", "dev")
            if self._is_back():
                return
        for _ in range(MOST_RUNS):
            done: Result = self.home.run(*FORWARD).ok()
            if ": done:" in done.out:
                break
        assert ": done:" in done.out, done.out
        assert self.sandbox.user("bob").keys == []
        assert self.text == AFTER
        assert self.home.run("dev", "--output", "json").ok().json["provider"] == "ci"

    def _is_back(self) -> bool:
        """Whether the profile is as it was before, and its key signs in."""
        if self.text != BEFORE or not self.sandbox.user("bob").keys or not self.sandbox.bob.active:
            return False
        arn = self.home.run("whoami", "dev", "--output", "json").ok().json["arn"]
        rows = self.home.run("migrate", "--status", "--output", "json").ok().json
        return bool(arn.endswith("user/bob") and [row["stage"] for row in rows] == ["static"])

    def _snapshot(self, name: str) -> Callable[[], None]:
        """Keep all as it is; the function that is returned brings it back."""
        kept = self.home.folder / "kept" / name
        state = self.home.folder / "awslogin"
        shutil.copytree(state, kept)
        text = self.text
        keys = copy.deepcopy(self.sandbox.world.keys)
        of_bob = list(self.sandbox.user("bob").keys)

        def bring_back() -> None:
            shutil.rmtree(state)
            shutil.copytree(kept, state)
            self.home.config(text)
            self.home.environ["T"] = self.sandbox.issuer.token()
            self.sandbox.world.keys = copy.deepcopy(keys)
            self.sandbox.user("bob").keys = list(of_bob)

        return bring_back


def main(seed: int | None = None) -> int:
    """Kill everywhere; an AssertionError tells what was lost."""
    seed = int.from_bytes(os.urandom(4), "big") if seed is None else seed
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        cheap_vault(Path(folder, "awslogin/vault"))
        machine = KilledMigrations(Home(Path(folder), sandbox.env()), sandbox)
        for step in STEPS:
            point = 1
            while machine.killed_at(step, point, back=chance.random() < 0.5):
                point += 1
            print(f"{step}: killed at {point - 1} points, whole each time", flush=True)
        for _ in range(RANDOM_KILLS):
            machine.begin_again()
            for _ in range(chance.randint(1, 4)):
                machine.killed_after(chance.uniform(0.01, 1))
            machine.end(back=chance.random() < 0.5)
        print(f"killed at {RANDOM_KILLS} random moments, whole each time", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else None))
