"""What commands leave for the next one about a config, each as a JSON file of a folder of state.

Owns that no folder fills up, and how variables' values are told without being written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from broker.paths import write_private

MAX_PROFILES = 500
"""Of a config that is recorded: all are read at once."""
MAX_FILES = 16
"""Configs that a folder holds; those that were written first go."""


def write_record(file: Path, record: Mapping[str, Any]) -> None:
    """Write a record whole, and remove the oldest where there are too many.

    Raises:
        OSError, ConfigError: It cannot be written there.
        TypeError, ValueError: It holds what JSON does not.
    """
    write_private(file, json.dumps(record).encode())
    by_age = sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in by_age[:-MAX_FILES]:
        path.unlink(missing_ok=True)


def digest_of(values: Mapping[str, str | None]) -> str:
    """Variables' values as one hash; they are no secrets, yet nobody's to read either."""
    text = json.dumps(sorted(values.items()))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
