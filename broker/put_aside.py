"""Sections of `~/.aws/config` that `setup --take-over` has put aside: a copy in our own state.

In the file they stand as comments, which other tools drop when they write it anew. Owns the copy,
without the secrets that a section may hold; `aws_config` owns the file's lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from broker.aws_config import profiles, sections
from broker.fingerprint import fingerprint
from broker.paths import data_dir, read_own_or_none, write_private

_SECRET = re.compile(r"secret|password|session_token")
LEFT_OUT = b"# awslogin keeps no secret: a line of this section is left out\n"


class PutAside:
    """The copies of one AWS file's sections.

    Args:
        environ: Says where our state lies.
        aws_file: The file.
    """

    def __init__(self, environ: Mapping[str, str], aws_file: Path) -> None:
        name = fingerprint({"aws_file": str(aws_file)})
        self._path = data_dir(environ) / "put-aside" / f"{name}.json"

    def keep(self, content: bytes, names: Collection[str]) -> None:
        """Copy these profiles' sections; before the file is written."""
        if not names:
            return
        lines = content.splitlines(keepends=True)
        found = {
            section.profile: b"".join(
                [lines[section.start], *_without_secrets(section.keys)]
            ).decode(errors="surrogateescape")
            for section in sections(lines)
            if section.profile in names
        }
        self._write({**self._copies(), **{name: text for name, text in found.items() if name}})

    def with_missing(self, content: bytes | None) -> bytes | None:
        """The file with the sections that are neither there nor replaced by ours any more."""
        missing = [
            text for name, text in self._copies().items() if name not in profiles(content or b"")
        ]
        if content is None or not missing:
            return content
        ended = not content or content.endswith((b"\n", b"\r"))
        back = "".join(missing).encode(errors="surrogateescape")
        return content + (b"" if ended else b"\n") + back

    def forget_those_in(self, content: bytes | None) -> None:
        """Drop the copies of sections that are the person's own again."""
        there = profiles(content or b"")
        copies = self._copies()
        needed = {
            name: text for name, text in copies.items() if there.get(name) or name not in there
        }
        if needed != copies:
            self._write(needed)

    def _copies(self) -> dict[str, str]:
        try:
            copies = json.loads(read_own_or_none(self._path) or b"{}")
        except ValueError:
            return {}
        return {name: text for name, text in copies.items() if isinstance(text, str)}

    def _write(self, copies: Mapping[str, str]) -> None:
        if copies:
            write_private(self._path, json.dumps(copies).encode())
        else:
            self._path.unlink(missing_ok=True)


def _without_secrets(settings: list[tuple[str, list[bytes]]]) -> list[bytes]:
    """The lines of a section's settings; a comment stands for each that may hold a secret."""
    copied: list[bytes] = []
    for key, lines in settings:
        copied += [LEFT_OUT] if _SECRET.search(key) else lines
    return copied
