"""Where state lies, and how a state file is written. Owns folders and modes, not contents.

`AWSLOGIN_HOME` puts everything under one folder, else each kind goes where the platform wants it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from broker.whole_files import write_whole

APP = "awslogin"


def config_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the person's own `config.yaml` and settings."""
    return _folder("config", environ)


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the encrypted file vault and the trusted hashes."""
    return _folder("data", environ)


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of sealed sessions and locks."""
    return _folder("state", environ)


def _folder(kind: str, environ: Mapping[str, str]) -> Path:
    home = environ.get("AWSLOGIN_HOME")
    if home:
        return expanded(home).absolute()
    import platformdirs

    folder: Path = getattr(platformdirs, f"user_{kind}_path")(APP, appauthor=False)
    return folder


def expanded(path: str) -> Path:
    """A path whose `~` is the person's home; one of nobody's home stays as it is, as in shells."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - `Path.expanduser` raises there


def private_dir(folder: Path) -> Path:
    """The folder, made with mode 0700 where it was missing, and narrowed where it was wider."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all: to a temporary name, then renamed."""
    private_dir(path.parent)
    write_whole(path, content)


def private_opener(path: str, flags: int) -> int:
    """For `open(…, opener=…)`: a file that is made has mode 0600."""
    return os.open(path, flags, 0o600)


def read_or_none(path: Path) -> bytes | None:
    """The content of a file, or None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
