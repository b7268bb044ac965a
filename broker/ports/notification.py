"""A notice on the desktop, where it has a way to show one. Nobody waits for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping

SHOWN_WITHIN = 2.0
"""Seconds that the notifier may take."""


def notify(text: str, environ: Mapping[str, str]) -> bool:
    """Show one line; whether somebody took it."""
    command = _command(text)
    if not shutil.which(command[0], path=environ.get("PATH")):
        return False
    hidden = {name: v for name, v in environ.items() if not name.startswith(("AWS_", "AWSLOGIN_"))}
    null = subprocess.DEVNULL
    try:
        done = subprocess.run(
            command,
            env=hidden,
            stdin=null,
            stdout=null,
            stderr=null,
            timeout=SHOWN_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _command(text: str) -> list[str]:
    """The program that shows the text on this system, and its arguments."""
    if sys.platform == "darwin":
        quoted = json.dumps(text, ensure_ascii=False)  # AppleScript knows \" and \\, not \u
        return ["osascript", "-e", f'display notification {quoted} with title "awslogin"']
    return ["notify-send", "--app-name=awslogin", "--", "awslogin", text]
