"""moto's server: IAM's users, keys and policies, in a process of its own on loopback.

It takes any signature, and knows no access advisor and no policy simulation; a last use it tells by
the time of the key's making. What AWS refuses is the sandbox's business.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.real.parts import process

ACCOUNT = "111122223333"
_SERVE = """
import threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("port", server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""


@dataclass(frozen=True)
class Moto:
    """A running server."""

    url: str

    def client(self, service: str) -> Any:
        """A client of an administrator."""
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="administrator",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}),
        )


@contextmanager
def running(folder: Path) -> Iterator[Moto]:
    """A server while the block runs; its log lies in the folder."""
    log = folder / "moto.log"
    env = process.clean_environ(MOTO_ACCOUNT_ID=ACCOUNT, HOME=str(folder))
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"

    def port() -> str:
        lines = [line for line in log.read_text().splitlines() if line.startswith("port ")]
        return lines[0].split()[1] if lines else ""

    words = [sys.executable, "-c", _SERVE]
    with process.running(words, env=env, log=log, ready=lambda: bool(port())):
        yield Moto(f"http://127.0.0.1:{port()}")
