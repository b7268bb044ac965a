"""Tables for people: aligned plain text, with a dim head on a terminal that wants colour."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from broker.terminal_text import escape_controls


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heads; the same text with or without a terminal, but for the head's tone."""
    rows = [[escape_controls(cell) for cell in row] for row in rows]
    widths = [
        max(len(column), *(len(row[place]) for row in rows), 0)
        for place, column in enumerate(columns)
    ]
    head = _line(
        [column.upper().replace("_ID", "").replace("_", " ") for column in columns], widths
    )
    lines = [_dim(head), *(_line(row, widths) for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _dim(text: str) -> str:
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return f"\033[2m{text}\033[0m" if coloured and os.environ.get("TERM") != "dumb" else text
