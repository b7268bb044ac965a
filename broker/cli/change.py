"""A change to a person's file: shown, and agreed to. Owns the diff and the question."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.cli.app import App


def diff(path: Path, before: bytes, after: bytes) -> str:
    """The change as a unified diff; empty where there is none."""
    old, new = (
        text.decode("utf-8", errors="replace").splitlines(keepends=True) for text in (before, after)
    )
    lines = difflib.unified_diff(old, new, str(path), f"{path} (awslogin)", n=1)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def agreed(app: App, change: str, *, yes: bool) -> bool:
    """On a terminal the person sees the change and agrees; elsewhere the command is the consent."""
    if yes or not app.ui.interactive:
        return True
    return app.ui.confirm("Write this?", about=change)


def read_config_again(app: App) -> None:
    """Forget the config, whose file this command has changed, and what was made of it."""
    for part in ("config", "idle_broker", "login"):
        vars(app).pop(part, None)
