"""Where state lies, and how a state file is written. Owns folders and modes, not contents.

`AWSLOGIN_HOME` puts everything under one folder, else each kind goes where the platform wants it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from broker.errors import ConfigError, UsageError
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
        folder = expanded(home)
        if not folder.is_absolute():
            raise UsageError(
                f"AWSLOGIN_HOME is {home}, which is another folder in each working directory",
                hint="set it to an absolute path",
            )
        return folder
    import platformdirs

    folder = Path(getattr(platformdirs, f"user_{kind}_dir")(APP, appauthor=False))
    if not folder.is_absolute():
        raise UsageError("there is no home folder", hint="set HOME, or AWSLOGIN_HOME")
    return folder


def expanded(path: str) -> Path:
    """A path whose `~` is the person's home; one of nobody's home stays as it is, as in shells."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - `Path.expanduser` raises there


def private_dir(folder: Path) -> Path:
    """The folder, made with mode 0700, its missing parents too; one that was there must be ours.

    Raises:
        ConfigError: Others may write in it, or above it.
    """
    missing = []
    place = folder
    while not place.exists() and place != place.parent:
        missing.append(place)
        place = place.parent
    for new in reversed(missing):
        new.mkdir(mode=0o700, exist_ok=True)
    require_own(folder)
    return folder


def require_own(path: Path) -> None:
    """Refuse a file or folder that others could have written: what it says would be theirs.

    It and all folders above must belong to us or to root, and nobody else may write there; in a
    sticky folder, such as /tmp, others cannot touch what is ours. What is missing is nobody's.

    Raises:
        ConfigError: It is not so; with path, owner or mode, and the mend.
    """
    if os.name != "posix":
        return
    real = Path(os.path.realpath(path))
    for place in (real, *real.parents):
        try:
            about = place.lstat()
        except OSError:
            continue
        mode = stat.S_IMODE(about.st_mode)
        if about.st_uid not in (0, os.geteuid()):
            raise ConfigError(
                f"it belongs to user {about.st_uid}, who could have written what awslogin reads",
                file=str(place),
                hint=f"`sudo chown {os.geteuid()} {place}`, or set AWSLOGIN_HOME elsewhere",
            )
        if mode & 0o022 and not (stat.S_ISDIR(about.st_mode) and mode & stat.S_ISVTX):
            raise ConfigError(
                f"its mode is {mode:04o}: others could have written what awslogin reads",
                file=str(place),
                hint=f"look at what is there, then `chmod go-w {place}`",
            )


def require_own_folders(environ: Mapping[str, str] = os.environ) -> None:
    """Refuse to act where others could have written our config, data or state.

    Raises:
        ConfigError: They could; with the path, its owner or mode, and the mend.
    """
    for folder in dict.fromkeys((config_dir(environ), data_dir(environ), state_dir(environ))):
        if folder.exists():
            require_own(folder)


def read_own_or_none(path: Path) -> bytes | None:
    """The content of a file that is ours alone to write, or None where there is none.

    Raises:
        ConfigError: Others could have written it.
    """
    content = read_or_none(path)
    if content is not None:
        require_own(path)
    return content


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all: to a temporary name, then renamed."""
    private_dir(path.parent)
    write_whole(path, content)


def read_or_none(path: Path) -> bytes | None:
    """The content of a file, or None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
