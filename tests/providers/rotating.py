"""Rotates keys with a keychain in a file; as a program, in children that kill themselves.

`python -m tests.providers.rotating ENDPOINTS` reads lines `FOLDER<tab>STEP`, rotates in a forked
child that kills itself at that step, and says `exit code<tab>step's name`. Steps are counted before
and after each call to AWS and each change of the keychain, and in the middle of replacing an entry,
which not every keychain does at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from broker.ports.aws import Aws
from broker.ports.secrets import Secrets
from broker.provider import Request, Rotation
from broker.secret import Secret
from broker.testing import FakeClock, MemoryFiles, ScriptedUi, make_ports
from providers.static import Static

Step = Callable[[str], None]


class FileKeychain:
    """Entries as JSON in one file, replaced by deleting and adding; `step` is told each change."""

    present = True

    def __init__(self, folder: Path, step: Step | None = None) -> None:
        self._path = folder / "keychain.json"
        self._step = step or (lambda name: None)

    def get(self, name: str) -> Secret | None:
        value = self._read().get(name)
        return Secret(value) if value else None

    def set(self, name: str, value: Secret) -> None:
        self.delete(name)
        self._change(name, value.reveal())

    def delete(self, name: str) -> None:
        if name in self._read():
            self._change(name, None)

    def _change(self, name: str, value: str | None) -> None:
        self._step(f"before {name}")
        entries = self._read() | {name: value or ""}
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({n: v for n, v in entries.items() if v}))
        new.replace(self._path)
        self._step(f"after {name}")

    def _read(self) -> dict[str, str]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}


def provider(keychain: Any, environ: Mapping[str, str], clock: FakeClock | None = None) -> Static:
    clock = clock or FakeClock()
    secrets = Secrets(keychain, MemoryFiles(), clock, scope="team/keys", sign_in="one")
    ui = ScriptedUi(environ=environ)
    ports = make_ports(environ, ui=ui, clock=clock, secrets=secrets)
    return Static("keys", Static.Options(), replace(ports, aws=_aws(json.dumps(dict(environ)))))


@cache
def _aws(environ: str) -> Aws:
    """One for all: botocore reads its descriptions of the services once."""
    return Aws(json.loads(environ))


def rotate(made: Static, profile: str = "dev", *others: str, **more: Any) -> Rotation:
    request = Request(profile=profile, keys_profile=profile, region="eu-west-1")
    return made.rotate_keys(request, others, **more)


class Suicide:
    """Counts steps; the fatal one is the last."""

    def __init__(self, fatal: int, told: Path) -> None:
        self._left = fatal
        self._told = told

    def __call__(self, name: str) -> None:
        if self._left == 0:
            self._told.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def main(endpoints: str) -> None:
    made = provider(None, json.loads(endpoints))
    for service in ("iam", "sts"):
        made.ports.aws.client(service, "eu-west-1")  # what children need is loaded once
    import botocore.client

    for line in sys.stdin:
        folder, fatal = line.rstrip("\n").split("\t")
        told = Path(folder) / "killed-at"
        child = os.fork()
        if child == 0:
            _rotate_and_die(
                made, botocore.client.BaseClient, Path(folder), Suicide(int(fatal), told)
            )
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(code, told.read_text() if told.exists() else "", sep="\t", flush=True)


def _rotate_and_die(made: Static, client: Any, folder: Path, step: Step) -> None:
    call = client._make_api_call

    def counted(self: Any, action: str, arguments: Any) -> Any:
        step(f"before {action}")
        try:
            return call(self, action, arguments)
        finally:
            step(f"after {action}")

    client._make_api_call = counted
    made.ports.secrets._keychain = FileKeychain(folder, step)
    rotate(made, "dev", "twin")


if __name__ == "__main__":
    main(*sys.argv[1:])
