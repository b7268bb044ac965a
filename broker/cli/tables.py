"""Tables for people: aligned plain text, no wider than the terminal, with a dim head.

Off a terminal nothing is shortened: what reads it there may be looking for the whole of a name.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

from broker.terminal_text import escape_controls

WHOLE = ("PROFILE", "ACCOUNT")
"""Heads of columns that are not shortened: a name to type, and twelve digits to compare."""
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
    least = [
        width if head in WHOLE else min(width, MIN_COLUMN)
        for head, width in zip(heads, widths, strict=True)
    ]
    if sum(least) > room:
        return _blocks(heads, rows, room + 2 * (len(widths) - 1))
    while sum(widths) > room:
        spare = [width - at_least for width, at_least in zip(widths, least, strict=True)]
        widths[spare.index(max(spare))] -= 1
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
    return f"\033[2m{text}\033[0m" if is_coloured() else text


def is_coloured() -> bool:
    """Whether stdout is a terminal that shows colours, and the person wants them (no-color.org)."""
    wanted = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return wanted and sys.stdout.isatty()


def wrapped(line: str, indent: str) -> str:
    """A line for a terminal, broken between words; off a terminal as it is."""
    if not sys.stdout.isatty():
        return line
    width = max(20, shutil.get_terminal_size().columns - 1)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
