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
            one.profile: b"".join([lines[one.start], *_lines_to_keep(one.keys)]).decode(
                errors="surrogateescape"
            )
            for one in sections(lines)
            if one.profile in names
        }
        self._write({**self._kept(), **{name: text for name, text in found.items() if name}})

    def with_missing(self, content: bytes | None) -> bytes | None:
        """The file with the sections that are neither there nor replaced by ours any more."""
        missing = [
            text for name, text in self._kept().items() if name not in profiles(content or b"")
        ]
        if content is None or not missing:
            return content
        ended = not content or content.endswith((b"\n", b"\r"))
        back = "".join(missing).encode(errors="surrogateescape")
        return content + (b"" if ended else b"\n") + back

    def forget_those_in(self, content: bytes | None) -> None:
        """Drop the copies of sections that are the person's own again."""
        there = profiles(content or b"")
        kept = self._kept()
        left = {name: text for name, text in kept.items() if there.get(name) or name not in there}
        if left != kept:
            self._write(left)

    def _kept(self) -> dict[str, str]:
        try:
            kept = json.loads(read_own_or_none(self._path) or b"{}")
        except ValueError:
            return {}
        return {name: text for name, text in kept.items() if isinstance(text, str)}

    def _write(self, kept: Mapping[str, str]) -> None:
        if kept:
            write_private(self._path, json.dumps(kept).encode())
        else:
            self._path.unlink(missing_ok=True)


def _lines_to_keep(settings: list[tuple[str, list[bytes]]]) -> list[bytes]:
    kept: list[bytes] = []
    for key, lines in settings:
        kept += [LEFT_OUT] if _SECRET.search(key) else lines
    return kept
