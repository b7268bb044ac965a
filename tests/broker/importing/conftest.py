"""A home folder with another tool's files in it, and what awslogin makes of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker.config.document import parse
from broker.config.loading import of_document
from broker.importing import Found, Here, look
from broker.importing.merging import EMPTY, Merged, merge


@dataclass
class Machine:
    """One person's machine."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def write(self, path: str, content: str | bytes) -> Path:
        """A file below the home folder."""
        place = self.home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    def look(self, source: str) -> Found:
        """What a source finds."""
        return look(source, Here(self.environ, self.home))

    def take(self, source: str, config: bytes = EMPTY, only: tuple[str, ...] = ()) -> Taken:
        """What becomes of it in a config; checked to be sound, and to be the same once more."""
        path = self.home / "config.yaml"
        before = {file: file.read_bytes() for file in self.home.rglob("*") if file.is_file()}
        merged = merge(config, path, self.look(source), self.environ, only)
        loaded = of_document(parse(merged.content, str(path)), path, self.environ, merged.content)
        assert not loaded.problems
        again = merge(merged.content, path, self.look(source), self.environ, only)
        assert again.content == merged.content
        assert again.providers == again.profiles == {}
        assert before == {file: file.read_bytes() for file in before}
        return Taken(merged)


class Taken:
    """A change to a config, in a form that tests can read."""

    def __init__(self, merged: Merged) -> None:
        self.merged = merged
        data = yaml.safe_load(merged.content)
        self.providers: dict[str, Any] = data.get("providers") or {}
        self.profiles: dict[str, Any] = data.get("profiles") or {}

    @property
    def left_out(self) -> dict[tuple[str, str], str]:
        """(source, key) → reason."""
        return {(one.source, one.key): one.reason for one in self.merged.left_out}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [*os.environ]:
        if name.startswith(("AWS_", "OKTA_", "SAML2AWS_", "AZURE_", "ATMOS_", "XDG_", "DBUS_")):
            monkeypatch.delenv(name)
    return Machine(tmp_path)
