"""A name for values that are the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def fingerprint(values: dict[str, Any]) -> str:
    """SHA-256 of canonical JSON, 40 hex digits."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:40]
