"""The person's AWS files: awslogin's marked block in `config`, plain-text keys in `credentials`.

Owns finding both, replacing the block, taking keys out and writing a file back: every other byte
stays, and so do the file's mode and a symlink. What stands in the block is the caller's.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.errors import UsageError
from broker.paths import expanded, read_or_none
from broker.secret import Secret

BEGIN = "# >>> awslogin >>> made by `awslogin setup`; what you change in here is lost"
UNENDED = " (the line before had no end)"
NEW_FILE = " (there was no file before)"
END = "# <<< awslogin <<<"

_BLOCK = re.compile(
    rb"(?P<unended>\r?\n)?^# >>> awslogin >>>[^\n]*\n.*?^# <<< awslogin <<<[^\n]*(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)
_SECTION = re.compile(r"^\s*\[\s*(profile\s+)?[\"']?([^\]\"']+?)[\"']?\s*\]", re.MULTILINE)


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the AWS SDKs look for the config file."""
    return expanded(environ.get("AWS_CONFIG_FILE") or "~/.aws/config")


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Where the AWS SDKs look for the credentials file."""
    return expanded(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")


def profiles_in_config(content: bytes) -> set[str]:
    """The profiles of a config file, awslogin's block left out: `[default]`, `[profile x]`."""
    found = _sections(without_block(content))
    return {name for profile, name in found if profile or name == "default"}


def profiles_in_credentials(content: bytes) -> set[str]:
    """The profiles of a credentials file: `[x]`."""
    return {name for profile, name in _sections(content) if not profile}


def _sections(content: bytes) -> list[tuple[str, str]]:
    return _SECTION.findall(content.decode("utf-8", errors="replace"))


def without_block(content: bytes) -> bytes:
    """The file's bytes as they were before there was a block.

    Raises:
        UsageError: A block begins and does not end, or there are several.
    """
    blocks = list(_BLOCK.finditer(content))
    if len(blocks) > 1 or content.count(b"# >>> awslogin >>>") != len(blocks):
        raise UsageError(
            "the AWS config file has a damaged awslogin block",
            hint=f"remove the lines from `{BEGIN[:18]}` to `{END}` by hand",
        )
    for block in blocks:
        before = block.group("unended") or b""
        ours = UNENDED.encode() in _first_line(block)
        start = block.start() + (0 if ours else len(before))
        return content[:start] + content[block.end() :]
    return content


def as_before(content: bytes | None) -> bytes | None:
    """What `--remove` leaves: the bytes of before, or None where there was no file."""
    bare = without_block(content or b"")
    return None if content is None or (not bare and _was_made_by_us(content)) else bare


def with_block(content: bytes | None, lines: list[str]) -> bytes | None:
    """The file with these lines as its block: in the old one's place, else at the end.

    The block ends its lines as the file's first line ends. Without lines there is no block.
    """
    if not lines:
        return as_before(content)
    before = content or b""
    block = _BLOCK.search(before)
    bare = without_block(before)
    place = len(bare)
    if block and block.end() < len(before):
        place = len(bare) - (len(before) - block.end())
    end = "\r\n" if bare.partition(b"\n")[0].endswith(b"\r") else "\n"
    unended = place > 0 and bare[place - 1 : place] != b"\n"
    made = content is None or (not bare and _was_made_by_us(before))
    begin = f"{end}{BEGIN}{UNENDED}" if unended else BEGIN + (NEW_FILE if made else "")
    text = "".join(line + end for line in [begin, *lines, END])
    return bare[:place] + text.encode() + bare[place:]


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
        if all(values.get(key) for key in _KEY_NAMES) and "aws_session_token" not in values:
            Secret(values["aws_secret_access_key"])  # masked from now on
            found[name] = PlainKeys(*(values[key] for key in _KEY_NAMES))
    return found


def without_keys(content: bytes, sections: Collection[str], path: str) -> bytes:
    """The file without the key lines of these sections, and every other byte as it was.

    Raises:
        UsageError: Its lines are laid out in a way that cannot be cut safely.
    """
    kept: list[bytes] = []
    inside = False
    for line in content.splitlines(keepends=True):
        head = _HEAD.match(line)
        if head:
            inside = head.group(1).decode("utf-8", errors="replace") in sections
        if not (inside and _KEY_LINE.match(line)):
            kept.append(line)
    after = b"".join(kept)
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


def _first_line(block: re.Match[bytes]) -> bytes:
    return block.group().lstrip().partition(b"\n")[0]


def _was_made_by_us(content: bytes) -> bool:
    block = _BLOCK.search(content)
    return block is not None and NEW_FILE.encode() in _first_line(block)


def read(path: Path) -> bytes | None:
    """The content of an AWS file, None where there is none.

    Raises:
        UsageError: It cannot be read, or is no file.
    """
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path} is not a file", hint="set AWS_CONFIG_FILE to one")
        return read_or_none(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint="check its mode"
        ) from error


def write_back(path: Path, content: bytes | None) -> None:
    """Replace a file's content whole or not at all, or remove it; mode, owner and symlink stay.

    Raises:
        UsageError: The file or its folder cannot be written.
    """
    try:
        _write(path.resolve(), content)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", hint="check the mode of its folder"
        ) from error


def _write(target: Path, content: bytes | None) -> None:
    if content is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            _as(target.stat(), temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _as(before: os.stat_result, temporary: Path) -> None:
    """Give a new file the owner and mode of the old one."""
    if sys.platform != "win32":
        with contextlib.suppress(PermissionError):  # another's file in a folder of ours
            os.chown(temporary, before.st_uid, before.st_gid)
    temporary.chmod(stat.S_IMODE(before.st_mode))
