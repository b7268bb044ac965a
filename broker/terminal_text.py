"""Text that a terminal shows: that of others made fit for it, and lines that may get lost.

Owns which characters fool a terminal or its reader, and that a stderr which takes nothing harms
nobody. Pages, servers and untrusted files choose words that we print: an escape sequence, a lone
carriage return, a change of writing direction or an invisible letter would let them overwrite or
falsify what a person reads.
"""

from __future__ import annotations

import contextlib
import re
import sys

MOST_LETTERS = 300
"""Letters of a remote sentence that are shown."""

_FOOLING = re.compile(
    "["
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for tab and newline
    r"\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # direction, line and paragraph ends
    r"\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"  # invisible, as are those above
    r"\U00013430-\U00013455\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    r"\ud800-\udfff"  # halves of a letter, which no stream can encode
    "]"
)


def escape_controls(text: str) -> str:
    """The text with what fools a terminal or its reader written out; tabs and newlines stay."""
    return _FOOLING.sub(lambda found: ascii(found.group())[1:-1], text.replace("\r\n", "\n"))


def one_line(text: object, most: int = MOST_LETTERS) -> str:
    """A remote sentence for a line of ours: single spaces, nothing that fools, cut with an `…`."""
    spaced = " ".join(str(text).split())
    line = " ".join(_FOOLING.sub("", spaced).split())
    return line if len(line) <= most else f"{line[:most]}…"


def counted(number: int, noun: str) -> str:
    """`1 profile`, `2 profiles`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def to_stderr(text: str) -> None:
    """Say it; a stderr that takes nothing (a full disk, a closed window) changes nothing."""
    with contextlib.suppress(OSError):
        print(escape_controls(text), file=sys.stderr, flush=True)
