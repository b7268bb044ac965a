"""`pass` with a GnuPG key that needs no passphrase, in a folder of its own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.parts.process import clean_environ, program

USER = "ann@corp.example"


@contextmanager
def initialised(folder: Path) -> Iterator[dict[str, str]]:
    """The environment in which `pass` works; its entries are files below `folder`/store."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:  # its sockets need a short path
        environ = {"GNUPGHOME": home, "PASSWORD_STORE_DIR": str(folder / "store")}
        make = [
            "--batch",
            "--passphrase",
            "",
            "--quick-gen-key",
            USER,
            "default",
            "default",
            "never",
        ]
        _run(["gpg", *make], environ)
        _run(["pass", "init", USER], environ)
        try:
            yield environ
        finally:
            _run(["gpgconf", "--kill", "all"], environ)


def _run(words: list[str], environ: dict[str, str]) -> None:
    command = [program(words[0]), *words[1:]]
    env = clean_environ(HOME=environ["GNUPGHOME"], **environ)
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stderr}")
