"""Other programs that want AWS credentials: boto3, the AWS CLI, the SDKs for JavaScript and Go.

Each client reads lines and asks STS at each who it is, with the same client object all its life.
The SDKs come from npm and the Go module proxy, pinned by their lock files, into
`${XDG_CACHE_HOME:-~/.cache}/awslogin-tests`; `python -m tests.real.parts.clients` fetches them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from tests.real.parts import process

NAMES = ("boto3", "aws-cli", "javascript", "go")

_HERE = Path(__file__).parent
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "awslogin-tests"


def command(name: str) -> list[str]:
    """The words that start a client.

    Raises:
        FileNotFoundError: A program that it needs is not installed.
    """
    if name == "boto3":
        return [sys.executable, str(_HERE / "client.py")]
    if name == "aws-cli":
        return ["sh", str(_HERE / "client.sh")]
    folder = prepared()
    if name == "javascript":
        return [process.program("node"), str(folder / "js" / "client.mjs")]
    return [str(folder / "go" / "client")]


def environ(base: Mapping[str, str]) -> dict[str, str]:
    """An environment in which the clients find the `aws` of this installation."""
    return dict(base) | {"PATH": f"{Path(sys.executable).parent}:{base['PATH']}"}


def prepared() -> Path:
    """The folder with the SDKs and the clients built on them; makes it where it is missing.

    Raises:
        FileNotFoundError: Node or Go is not installed.
        subprocess.CalledProcessError: A download or the build failed.
    """
    folder = _CACHE / f"clients-{_digest()}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(_CACHE / "clients.lock"):
        if not folder.exists():
            shutil.rmtree(making := _CACHE / "clients-making", ignore_errors=True)
            shutil.copytree(_HERE / "js", making / "js")
            shutil.copytree(_HERE / "go", making / "go")
            install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            _run([process.program("npm"), *install], making / "js")
            _run([process.program("go"), "build", "-buildvcs=false", "-o", "client"], making / "go")
            making.rename(folder)
    return folder


def _run(words: list[str], folder: Path) -> None:
    subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)


def _digest() -> str:
    sources = [path for part in ("js", "go") for path in sorted((_HERE / part).iterdir())]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:12]
