"""The person's AWS files: awslogin's marked block in `config`, plain-text keys in `credentials`.

Owns finding both, replacing the block, taking keys out and writing a file back: every other byte
stays, and so do the file's mode and a symlink. What stands in the block is the caller's.
"""

from __future__ import annotations

import configparser
import os
import re
import stat
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.errors import UsageError
from broker.secret import Secret

BEGIN = "# >>> awslogin >>> made by `awslogin setup`; what you change in here is lost"
BEGIN_UNENDED = f"{BEGIN} (the line before had no end)"
END = "# <<< awslogin <<<"

_BLOCK = re.compile(
    rb"(?P<unended>\n)?^# >>> awslogin >>>[^\n]*\n.*?^# <<< awslogin <<<[^\n]*(?:\n|\Z)",
    re.MULTILINE | re.DOTALL,
)
_SECTION = re.compile(r"^\s*\[\s*(?:profile\s+)?[\"']?([^\]\"']+?)[\"']?\s*\]", re.MULTILINE)


def config_path(environ: Mapping[str, str]) -> Path:
    """Where the AWS SDKs look for the config file."""
    return Path(environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Where the AWS SDKs look for the credentials file."""
    return Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()


def sections(content: bytes) -> set[str]:
    """The profile names of an AWS file, awslogin's block left out."""
    return set(_SECTION.findall(without_block(content).decode("utf-8", errors="replace")))


def without_block(content: bytes) -> bytes:
    """The file as it was before there was a block.

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
        unended = BEGIN_UNENDED.encode() in block.group()
        start = block.start() if unended or not block.group("unended") else block.start() + 1
        return content[:start] + content[block.end() :]
    return content


def with_block(content: bytes, lines: list[str]) -> bytes:
    """The file with these lines as its block: in the old one's place, else at the end."""
    block = _BLOCK.search(content)
    bare = without_block(content)
    place = len(bare)
    if block and block.end() < len(content):
        place = len(bare) - (len(content) - block.end())
    unended = place > 0 and bare[place - 1 : place] != b"\n"
    begin = f"\n{BEGIN_UNENDED}" if unended else BEGIN
    text = "\n".join([begin, *lines, END]) + "\n"
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


def write_back(path: Path, content: bytes) -> None:
    """Replace a file's content whole or not at all; its mode and a symlink to it stay."""
    target = path.resolve()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
