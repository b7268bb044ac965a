"""How a file that only we may read is opened. Imports little: the agent uses it too."""

from __future__ import annotations

import os


def private_opener(path: str | os.PathLike[str], flags: int) -> int:
    """For `open(…, opener=…)`: a file that is made has mode 0600, and a link is not followed.

    Raises:
        OSError: It cannot be opened, or is a link.
    """
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
