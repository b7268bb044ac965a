"""Whether a browser that we open can reach a port of this machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

_REMOTE = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "CODESPACES", "GITPOD_WORKSPACE_ID")
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_CONTAINER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS")


def browser_is_here(environ: Mapping[str, str]) -> bool:
    """A browser and this process on one machine: not over SSH, in WSL or in a container."""
    return has_display(environ) and not _in_container(environ)


def has_display(environ: Mapping[str, str]) -> bool:
    """Whether windows can be opened beside this process: not over SSH or in WSL."""
    if any(environ.get(name) for name in _REMOTE):
        return False
    if sys.platform in {"darwin", "win32"}:
        return True
    displayed = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return bool(displayed) and not in_wsl(environ)


def in_wsl(environ: Mapping[str, str]) -> bool:
    """Linux inside Windows: the browser is Windows' own, and does not always reach us."""
    import platform

    return "WSL_DISTRO_NAME" in environ or "microsoft" in platform.release().lower()


def _in_container(environ: Mapping[str, str]) -> bool:
    if sys.platform in {"darwin", "win32"}:
        return False
    return any(environ.get(name) for name in _CONTAINER_VARIABLES) or any(
        Path(file).exists() for file in _CONTAINER_FILES
    )
