"""Where a value of the config stands. Reads nothing, so that a profile can be had without YAML."""

from __future__ import annotations

from typing import NamedTuple


class Origin(NamedTuple):
    """Where a value comes from: 1-based line and column; all None for a default of our own."""

    file: str | None = None
    line: int | None = None
    column: int | None = None
