"""The npm package `oidc-provider`: an OpenID provider that is certified, and no work of ours.

It comes from npm, pinned by its lock file, into `${XDG_CACHE_HOME:-~/.cache}/awslogin-tests`;
`python -m tests.real.parts.openid_provider` fetches it. Anybody may sign in there, under any name.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from filelock import FileLock

from tests.real.parts import process
from tests.real.parts.visitor import Visitor
from tests.sandbox.keys import rsa_key

_HERE = Path(__file__).parent
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "awslogin-tests"
_SOURCES = ("package.json", "package-lock.json", "provider.mjs")


@dataclass(frozen=True)
class OpenIdProvider:
    """A running one. Its public clients are named by how their ID tokens are signed."""

    issuer: str

    def jwks(self) -> dict[str, Any]:
        """Its public keys."""
        found: dict[str, Any] = requests.get(f"{self.issuer}/jwks", timeout=30).json()
        return found

    def sign_in(self, url: str, person: str) -> Visitor:
        """A person follows an address of it, signs in, and agrees."""
        visitor = Visitor(url)
        while visitor.page.select_one("input[name=user_code]"):  # sent, then confirmed
            visitor.submit("form")
        visitor.submit("form:has(input[name=login])", login=person, password="any")
        visitor.submit("form:has(input[value=consent])")
        return visitor


@contextmanager
def running(folder: Path) -> Iterator[OpenIdProvider]:
    """A provider on a port of its own; `folder` is for its log.

    Raises:
        FileNotFoundError: Node is not installed.
    """
    port = process.free_port()
    with process.running(
        ["node", str(prepared() / "provider.mjs"), str(port)],
        env=process.clean_environ(),
        log=folder / "openid-provider.log",
        ready=lambda: process.answers(port),
        stdin=_private_keys(),
    ):
        yield OpenIdProvider(f"http://127.0.0.1:{port}")


def _private_keys() -> bytes:
    """A JWK set with a key for each kind of signature; Node's own making of them may hang."""
    rsa, curve = jwt.algorithms.RSAAlgorithm, jwt.algorithms.ECAlgorithm
    keys = {
        "RS256": rsa.to_jwk(rsa_key("RS256"), as_dict=True),
        "PS256": rsa.to_jwk(rsa_key("PS256"), as_dict=True),
        "ES256": curve.to_jwk(generate_private_key(SECP256R1()), as_dict=True),
    }
    named = [{**key, "kid": alg, "alg": alg, "use": "sig"} for alg, key in keys.items()]
    for key in named:
        key.pop("key_ops", None)
    return json.dumps({"keys": named}).encode()


def prepared() -> Path:
    """The folder with the package; makes it where it is missing.

    Raises:
        FileNotFoundError: npm is not installed.
        subprocess.CalledProcessError: The download failed.
    """
    content = b"\0".join((_HERE / name).read_bytes() for name in _SOURCES)
    folder = _CACHE / f"openid-provider-{hashlib.sha256(content).hexdigest()[:12]}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(_CACHE / "openid-provider.lock"):
        if not folder.exists():
            making = _CACHE / "openid-provider-making"
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            for name in _SOURCES:
                shutil.copy(_HERE / name, making)
            words = [process.program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(
                words, cwd=making, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True
            )
            making.rename(folder)
    return folder
