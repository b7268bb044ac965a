"""Tables for people: aligned plain text, no wider than the terminal, with a dim head.

Off a terminal nothing is shortened: what reads it there may be looking for the whole of a name.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

from broker.terminal_text import escape_controls

MIN_COLUMN = 6
"""Letters to which a column may shrink; a terminal too narrow for that gets lines, not columns."""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their heads."""
    heads = [column.upper().replace("_ID", "").replace("_", " ") for column in columns]
    rows = [[escape_controls(cell) for cell in row] for row in rows]
    widths = [
        max(len(column), *(len(row[place]) for row in rows), 0)
        for place, column in enumerate(columns)
    ]
    if not sys.stdout.isatty():
        return _aligned(heads, rows, widths)
    filled = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    heads, widths = [heads[place] for place in filled], [widths[place] for place in filled]
    rows = [[row[place] for place in filled] for row in rows]
    room = shutil.get_terminal_size().columns - 2 * (len(widths) - 1)
    if sum(min(width, MIN_COLUMN) for width in widths) > room:
        return _blocks(heads, rows, room + 2 * (len(widths) - 1))
    while sum(widths) > room:
        widest = widths.index(max(widths))
        widths[widest] -= 1
    return _aligned(heads, [[*map(_cut, row, widths)] for row in rows], widths)


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    lines = [
        _dim(_line([*map(_cut, heads, widths)], widths)),
        *(_line(row, widths) for row in rows),
    ]
    return "".join(f"{line}\n" for line in lines)


def _blocks(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """A line for each value, and a blank one between two rows."""
    blocks = [
        [f"{head.lower()}: {cell}" for head, cell in zip(heads, row, strict=True) if cell]
        for row in rows
    ]
    return "\n".join("".join(f"{_cut(line, width)}\n" for line in block) for block in blocks)


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _dim(text: str) -> str:
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return f"\033[2m{text}\033[0m" if coloured and os.environ.get("TERM") != "dumb" else text
