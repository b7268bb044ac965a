"""SARIF 2.1.0's own JSON schema, as Microsoft's npm package carries it.

`python -m tests.real.parts.sarif_schema` fetches it into the tests' cache,
`${XDG_CACHE_HOME:-~/.cache}/awslogin-tests`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.real.parts import process

_PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"
_MEMBER = "package/lib/schemas/sarif-2.1.0-rtm.5.json"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "awslogin-tests"


def installed() -> dict[str, Any]:
    """The schema; fetched where it is missing."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    file = _CACHE / "sarif-2.1.0-rtm.5.json"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            _fetch(file)
    schema: dict[str, Any] = json.loads(file.read_bytes())
    return schema


def _fetch(file: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_CACHE) as made:
        subprocess.run(
            [process.program("npm"), "pack", "--silent", _PACKAGE],
            cwd=made,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        (archive,) = Path(made).glob("*.tgz")
        with tarfile.open(archive) as packed:
            content = packed.extractfile(_MEMBER)
            assert content
            (Path(made) / "schema").write_bytes(content.read())
        (Path(made) / "schema").replace(file)


if __name__ == "__main__":
    installed()
