"""An X server without a screen, for programs that open windows: Debian's `xvfb`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.parts import process


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """A display of its own while the block runs; what DISPLAY is to be.

    Args:
        folder: Takes its log.
    """
    log = folder / "display.log"
    words = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp"]

    def number() -> str | None:
        lines = log.read_text(errors="replace").splitlines()
        return next((line for line in lines if line.isdecimal()), None)

    with process.running(
        words, env=process.clean_environ(), log=log, ready=lambda: number() is not None
    ):
        yield f":{number()}"
