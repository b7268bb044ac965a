"""Runs the installed `awslogin` as a person would, in an environment of its own."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from broker.failure_line import EVAL_FAILS
from tests import patient, preloaded

PATIENCE = 120.0
"""Seconds that anything may take on a busy machine before a test gives up on it."""
PASSPHRASE = "correct horse battery staple"
COMMAND = preloaded.COMMAND
ON_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(os.open(sys.argv[1], os.O_RDWR), termios.TIOCSCTTY, 0)
os.execv(sys.argv[2], sys.argv[2:])
"""
_KEPT = ("PATH", "LANG", "SSL_CERT_FILE", "SYSTEMROOT", "TMPDIR")


def readable(descriptor: int, seconds: float) -> bool:
    """Whether there is something to read in that time; `select` takes no descriptor beyond 1023."""
    awaited = select.poll()
    awaited.register(descriptor, select.POLLIN)
    return bool(awaited.poll(seconds * 1000))


def cheap_vault(path: Path, cost: Mapping[str, int] = preloaded.CHEAP_SCRYPT) -> None:
    """An empty vault behind `PASSPHRASE` that opens at once: scrypt's parameters are its own."""
    salt, nonce = os.urandom(16), os.urandom(12)
    key = Scrypt(salt=salt, length=32, **cost).derive(PASSPHRASE.encode())
    sealed = nonce + AESGCM(key).encrypt(nonce, b"{}", b"awslogin vault 1")
    header = {"version": 1, **cost, "salt": b64encode(salt).decode()}
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(header | {"sealed": b64encode(sealed).decode()}))


def installation(folder: Path) -> tuple[Path, Path]:
    """A virtual environment over this one: its `awslogin`, and its own site-packages.

    awslogin starts isolated, so what a test wants it to find is installed where it is.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    outer = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")
    command = folder / "bin" / "awslogin"
    shutil.copy(COMMAND, command)
    return command, packages


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The one JSON line on stderr of a failed machine-readable command."""
        assert self.out in {"", *EVAL_FAILS.values()}, self.out
        (line,) = [line for line in self.err.splitlines() if line.startswith("{")]
        document: dict[str, Any] = json.loads(line)["error"]
        return document

    def ok(self) -> Result:
        """The same result, which must be a success."""
        assert self.code == 0, f"exit {self.code}\n{self.out}\n{self.err}"
        return self


class Home:
    """One person's machine: a home folder, a config, an environment, and the command."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.changes: dict[str, float | tuple[float, float]] = dict(patient.LIMITS)
        """What is other in forks: constants by their full names, `speed`, `killed_at`, and
        `killed_at_step`, which counts requests to AWS too."""
        self.work.mkdir(parents=True, exist_ok=True)
        self.environ = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
            "HOME": str(folder),
            "USER": "ann",
            "AWSLOGIN_HOME": str(folder / "awslogin"),
            "AWSLOGIN_KEYRING": "file",
            "AWSLOGIN_PASSPHRASE": PASSPHRASE,
            "AWSLOGIN_AGENT": "off",
            **(environ or {}),
        }

    def without_vault(self) -> Home:
        """The same machine, whose keychain awslogin must find by itself."""
        del self.environ["AWSLOGIN_KEYRING"], self.environ["AWSLOGIN_PASSPHRASE"]
        (self.folder / "awslogin" / "vault").unlink(missing_ok=True)
        return self

    def config(self, text: str, name: str = "config.yaml") -> Path:
        """Write a config that is trusted as given, through AWSLOGIN_CONFIG."""
        path = self.folder / name
        path.write_text(text)
        self.environ["AWSLOGIN_CONFIG"] = str(path)
        return path

    def run(
        self,
        *words: str,
        stdin: str | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float = PATIENCE,
        cwd: Path | None = None,
        fresh: bool = False,
    ) -> Result:
        """Run `awslogin WORDS`; without a controlling terminal, so nobody can be asked.

        Args:
            words: The command line.
            stdin: What it can read.
            env: Changes to the environment; None takes a variable out.
            timeout: Seconds that it may take.
            cwd: Where it runs.
            fresh: A start of its own where the start is the point; else it may be a fork.
        """
        with self.start(*words, env=env, cwd=cwd, stdin=subprocess.PIPE, fresh=fresh) as process:
            try:
                out, err = process.communicate(stdin or "", timeout)
            except BaseException:
                process.kill()
                raise
        return Result(process.returncode, out, err)

    def start(
        self,
        *words: str,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
        fresh: bool = False,
        terminal: str = "",
    ) -> subprocess.Popen[str]:
        """Start `awslogin WORDS`, in a session of its own, and do not wait.

        `terminal` is the path of the session's controlling terminal.
        """
        environ, folder = self.env(env), cwd or self.work
        if not fresh and preloaded.is_like_a_start(environ):
            command = [COMMAND, *words]
            return preloaded.Forked(
                command, environ, folder, terminal=terminal, changes=self.changes,
                stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        command = [sys.executable, "-c", ON_TERMINAL, terminal] if terminal else []
        return subprocess.Popen(
            [*command, COMMAND, *words],
            env=environ,
            cwd=folder,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=not terminal,
        )

    def env(self, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """The environment with changes; None takes a variable out."""
        merged: dict[str, str | None] = {**self.environ, **(more or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def files(self) -> list[Path]:
        """Every file below the home folder."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def holds_in_plain(self, secrets: Sequence[str]) -> list[Path]:
        """The files in which one of these secrets can be read."""
        return [
            path
            for path in self.files()
            if any(secret.encode() in path.read_bytes() for secret in secrets)
        ]
