"""The person's AWS files, `config` and `credentials`; in the latter, plain-text keys.

Owns finding both, taking keys out and writing a file back: every other byte stays, and so do the
file's mode and a symlink. Our sections of `config` are `aws_config`'s.
"""

from __future__ import annotations

import configparser
import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.errors import UsageError
from broker.paths import expanded, private_dir, read_or_none, state_dir
from broker.secret import Secret
from broker.whole_files import write_over, write_whole


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the AWS SDKs look for the config file."""
    return expanded(environ.get("AWS_CONFIG_FILE") or "~/.aws/config")


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Where the AWS SDKs look for the credentials file."""
    return expanded(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")


def profiles_with_keys(content: bytes) -> set[str]:
    """The sections of a credentials file that hold keys, which SDKs take before anything else."""
    parser = configparser.RawConfigParser(default_section="\0", strict=False)
    try:
        parser.read_string(content.decode("utf-8", errors="replace"))
    except configparser.Error:
        return set()
    return {name for name in parser.sections() if parser[name].get("aws_access_key_id")}


def users_of(names: Collection[str], *files: bytes) -> dict[str, list[str]]:
    """Of these sections, those whose keys others use by `source_profile`, with who does."""
    found: dict[str, list[str]] = {}
    for content in files:
        parser = configparser.RawConfigParser(default_section="\0", strict=False)
        with contextlib.suppress(configparser.Error):
            parser.read_string(content.decode("utf-8", errors="replace"))
        for section in parser.sections():
            source = parser[section].get("source_profile")
            if source in names and source:
                found.setdefault(source, []).append(f"[{section}]")
    return found


@dataclass(frozen=True)
class PlainKeys:
    """A user's own keys, as they stand in the credentials file."""

    access_key_id: str
    secret_access_key: str


_KEY_NAMES = ("aws_access_key_id", "aws_secret_access_key")
_KEY_LINE = re.compile(rb"\s*(aws_access_key_id|aws_secret_access_key)\s*[=:]", re.IGNORECASE)
_HEAD = re.compile(rb"\[([^\]]+)\]")


def plain_keys(content: bytes, path: str) -> dict[str, PlainKeys]:
    """The sections of a credentials file that hold a user's own keys; sessions are left out.

    Raises:
        UsageError: The file is not one that the AWS SDKs read.
    """
    found: dict[str, PlainKeys] = {}
    for name, values in _read(content, path).items():
        if all(values.get(key) for key in _KEY_NAMES) and not values.get("aws_session_token"):
            Secret(values["aws_secret_access_key"])  # masked from now on
            found[name] = PlainKeys(*(values[key] for key in _KEY_NAMES))
    return found


def sections_of_exports(content: bytes, path: str) -> list[str]:
    """The sections with lines of a shell, `export AWS_…=…`, which the AWS SDKs do not read."""
    sections = _read(content, path)
    return [name for name in sections if any(key.startswith("export ") for key in sections[name])]


def without_keys(content: bytes, sections: Collection[str], path: str) -> bytes:
    """The file without the key lines of these sections, and every other byte as it was.

    Raises:
        UsageError: Its lines are laid out in a way that cannot be cut safely.
    """
    remaining: list[bytes] = []
    inside = False
    for line in content.splitlines(keepends=True):
        head = _HEAD.match(line)
        if head:
            inside = head.group(1).decode("utf-8", errors="replace") in sections
        if not (inside and _KEY_LINE.match(line)):
            remaining.append(line)
    after = b"".join(remaining)
    wanted = _read(content, path)
    for name in sections:
        for key in _KEY_NAMES:
            del wanted[name][key]
    if _read(after, path) != wanted:
        raise UsageError(
            f"the lines of {path} are laid out in an unusual way; it stays as it was",
            hint="the keys are in the keychain: take them out of the file by hand",
        )
    return after


def _read(content: bytes, path: str) -> dict[str, dict[str, str]]:
    """The file as botocore reads it. Errors repeat none of its lines."""
    parser = configparser.RawConfigParser(default_section="\0")
    try:
        parser.read_string(content.decode("utf-8-sig"))
    except (configparser.Error, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}:{line}" if line else path
        raise UsageError(f"{where} is not a file that the AWS SDKs read") from None
    return {name: dict(parser[name]) for name in parser.sections()}


def read(path: Path, variable: str = "AWS_CONFIG_FILE") -> bytes | None:
    """The content of an AWS file, None where there is none; `variable` names another.

    Raises:
        UsageError: It cannot be read, or is no file.
    """
    try:
        if path.exists() and not path.is_file():
            folder = ": it is a folder, as a container makes one for a mount whose file is missing"
            raise UsageError(
                f"{path} is not a file{folder if path.is_dir() else ''}",
                hint=f"remove it, or set {variable} to a file",
            )
        return read_or_none(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint="check its mode"
        ) from error


def write_back(path: Path, content: bytes | None, variable: str = "") -> None:
    """Replace a file's content whole or not at all, or remove it; mode, owner and symlink stay.

    One that cannot be replaced is written in place, its old content kept until that is done.

    Args:
        path: The file.
        content: All of it, or None to remove it.
        variable: The environment variable that names another file, for the message.

    Raises:
        UsageError: The file or its folder cannot be written.
    """
    target = path.resolve()
    try:
        _write(target, content)
    except OSError as error:
        if error.errno in _NO_RENAME and os.access(target, os.W_OK) and target.is_file():
            _write_in_place(target, content or b"", path)
            return
        more = f", or set {variable} to a file that can be written" if variable else ""
        raise UsageError(
            f"{path} cannot be written: {error.strerror}",
            hint=f"check the mode of its folder{more}",
        ) from error


_NO_RENAME = {errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS}
"""Why a file that can be written cannot be replaced: a mount of its own, a folder not ours."""


def _write_in_place(target: Path, content: bytes, path: Path) -> None:
    """Write over it, its old content kept in a folder of ours meanwhile.

    Raises:
        UsageError: It cannot be written, or an earlier write was interrupted.
    """
    backup = backup_of(target)
    try:
        private_dir(backup.parent)
        write_over(target, content, backup)
    except FileExistsError as error:
        raise UsageError(
            f"an earlier write of {path} was interrupted; its content before that is in {backup}",
            hint=f"`cp {backup} {path}`, or look at both; then remove {backup}",
        ) from error
    except OSError as error:
        backup_note = f"; its content before that is in {backup}" if backup.exists() else ""
        raise UsageError(
            f"{path} cannot be written: {error.strerror}{backup_note}",
            hint=f"make room or access there, and in {backup.parent}",
        ) from error


def backup_of(path: Path) -> Path:
    """Where the old content of a file lies while it is written in place."""
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()
    return state_dir() / "backups" / f"{path.name}-{digest[:16]}"


def _write(target: Path, content: bytes | None) -> None:
    if content is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(target, content, like=target.stat() if target.exists() else None)
