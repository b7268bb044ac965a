"""The machine itself: installations, free space, a browser, completion."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from broker import __version__
from broker.doctor.finding import Finding, Machine
from broker.paths import expanded, state_dir
from broker.ports.browser_reachability import browser_is_here
from broker.warm import calling_shell

LEAST_FREE_BYTES, LITTLE_FREE_BYTES = 1 << 20, 50 << 20

_COMPLETION_FILES = (
    "~/.bashrc",
    "~/.bash_profile",
    "~/.zshrc",
    "~/.config/fish/config.fish",
    "~/.config/fish/completions/awslogin.fish",
)


def installation(machine: Machine) -> Iterator[Finding]:
    """Every `awslogin` on PATH; the first one counts, another one is easily updated in vain."""
    folders = machine.environ.get("PATH", os.defpath).split(os.pathsep)
    names = ("awslogin.exe", "awslogin") if sys.platform == "win32" else ("awslogin",)
    found: dict[str, str] = {}
    for folder in folders:
        for name in names:
            path = shutil.which(name, path=folder) if folder else None
            if path:
                found.setdefault(os.path.realpath(path), path)
    if len(found) > 1:
        first, *others = found.values()
        yield Finding(
            "installation",
            "warning",
            f"{len(found)} installations are on PATH: {first} counts, {', '.join(others)} do not",
            f"remove one, such as {others[0]}",
        )
    elif not found:
        yield Finding(
            "installation",
            "warning",
            "awslogin is not on PATH",
            f"add {Path(sys.executable).parent} to PATH",
        )
    else:
        yield Finding("installation", "ok", f"awslogin {__version__}, {next(iter(found.values()))}")


def disk(machine: Machine) -> Iterator[Finding]:
    """Room for sessions."""
    folder = state_dir(machine.environ)
    there = next((path for path in (folder, *folder.parents) if path.is_dir()), Path("/"))
    free = shutil.disk_usage(there).free
    if free >= LITTLE_FREE_BYTES:
        yield Finding("disk", "ok", f"{free >> 20} MiB are free at {there}")
        return
    yield Finding(
        "disk",
        "error" if free < LEAST_FREE_BYTES else "warning",
        f"only {free >> 10} KiB are free at {there}",
        "make room, or set AWSLOGIN_HOME to a folder with more",
    )


def browser(machine: Machine) -> Iterator[Finding]:
    """Whether a sign-in in the browser comes back to this machine."""
    if browser_is_here(machine.environ):
        yield Finding("browser", "ok", "a browser of this machine is used")
    else:
        yield Finding(
            "browser",
            "info",
            "no browser of this machine is used (SSH, container, WSL, or no display): sign-ins show"
            " a code or an address",
        )


def completion(machine: Machine) -> Iterator[Finding]:
    """Whether a start-up file of a shell loads our completion."""
    del machine
    for name in _COMPLETION_FILES:
        try:
            if "awslogin" in expanded(name).read_text(errors="replace"):
                yield Finding("completion", "ok", f"{name} names awslogin")
                return
        except OSError:
            continue
    shell = {"env": "bash", "powershell": "powershell", "fish": "fish"}.get(calling_shell(), "bash")
    yield Finding(
        "completion",
        "info",
        "no shell completes awslogin's names",
        f"awslogin completion {shell}",
    )
