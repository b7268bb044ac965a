"""Which files the person trusts, by the SHA-256 of their content. Owns that list alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from broker.errors import ConfigError
from broker.paths import data_dir, private_dir, read_or_none, write_private


class Trust:
    """The trusted hashes of this person."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.path = data_dir(environ) / "trusted.json"

    def holds(self, content: bytes) -> bool:
        """Whether a file of exactly this content is trusted."""
        return _hash(content) in self._read()

    def add(self, content: bytes, file: Path) -> None:
        """Trust this content; the path is kept for the person's eyes."""
        self._change({_hash(content): str(file)})

    def revoke(self, content: bytes) -> None:
        """Trust this content no longer."""
        self._change({_hash(content): None})

    def _change(self, change: dict[str, str | None]) -> None:
        private_dir(self.path.parent)
        with FileLock(f"{self.path}.lock", mode=0o600):
            trusted = {**self._read(), **change}
            kept = {digest: file for digest, file in trusted.items() if file is not None}
            write_private(self.path, json.dumps(kept, indent=1).encode())

    def _read(self) -> dict[str, str]:
        content = read_or_none(self.path)
        if content is None:
            return {}
        try:
            trusted = json.loads(content)
        except ValueError:
            trusted = None
        if not isinstance(trusted, dict):
            raise ConfigError("the list of trusted files is damaged", file=str(self.path))
        return trusted


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
