"""The person's `~/.aws/config`: awslogin's marked block in it, and nothing else of it.

Owns finding the block, replacing it and writing the file back: every other byte stays, and so do
the file's mode and a symlink. What stands in the block is the caller's.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from broker.errors import UsageError

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
