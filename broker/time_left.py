"""The line of a session's end, for people: the machine's own time, and how long it is till then.

Imports `time` alone: the warm path fills it in, too.
"""

import time

MARK = "\x01"
"""Stands around the seconds of the epoch in a text that is to be filled in when it is shown."""


def filled(text: str, now: "float | None" = None) -> str:
    """A text whose moment between two marks is told as of now.

    Args:
        text: With one moment, or none.
        now: Seconds of the epoch; else the clock's.
    """
    before, mark, rest = text.partition(MARK)
    moment, _, after = rest.partition(MARK)
    if not mark:
        return text
    left = duration_words(float(moment) - (time.time() if now is None else now))
    return f"{before}{local_text(float(moment))} ({left} left){after}"


def marked(moment: float) -> str:
    """A moment, in seconds of the epoch, as `filled` finds it."""
    return f"{MARK}{moment:.0f}{MARK}"


def local_text(moment: float, *, seconds: bool = False) -> str:
    """`2026-01-01 01:00 CET`: seconds of the epoch in the machine's own time, with its zone."""
    return time.strftime(
        f"%Y-%m-%d %H:%M{':%S' if seconds else ''} %Z", time.localtime(int(moment))
    )


def duration_words(seconds: float) -> str:
    """`1h05m`, `12m`, `40s`; `expired` below zero."""
    if seconds <= 0:
        return "expired"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m" if minutes else f"{rest}s"
