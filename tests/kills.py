"""Commands that are killed right before one of their changes to files.

The suite tries a few moments, chosen by a seed; `make kills` (AWSLOGIN_TEST_KILLS=all) tries all.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator

from tests.support import Home, Result

MOST = 200
FEW = 4


def moments(seed: int, among: int) -> Iterator[int]:
    """Numbers of changes before which a command is killed.

    Args:
        seed: Chooses the few.
        among: About how many changes the command makes.
    """
    if os.environ.get("AWSLOGIN_TEST_KILLS") == "all":
        yield from range(1, MOST)
    else:
        yield from sorted(random.Random(seed).sample(range(1, among + 1), FEW))


def run_killed(home: Home, moment: int, *words: str) -> Result | None:
    """The command, killed before its change of this number; its result where it made fewer."""
    home.changes["killed_at"] = moment
    done = home.run(*words)
    del home.changes["killed_at"]
    return None if done.code == -signal.SIGKILL else done
