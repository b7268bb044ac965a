"""What is shown to a person: text of others made fit for it, and lines that may get lost.

Owns which characters would fool a terminal, and that a stderr which takes nothing harms nobody.

Pages, servers and untrusted files choose words that we print: an escape sequence, a lone carriage
return or a change of writing direction would let them overwrite what a person reads.
"""

from __future__ import annotations

import contextlib
import re
import sys

_FOOLING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with what a terminal would obey written out (ESC as x1b); tabs and newlines stay."""
    return _FOOLING.sub(lambda found: ascii(found.group())[1:-1], text.replace("\r\n", "\n"))


def to_stderr(text: str) -> None:
    """Say it; a stderr that takes nothing (a full disk, a closed window) changes nothing."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)
