"""Durations as people write them: `90s`, `15m`, `1h30m`, `2d`, or plain seconds."""

from __future__ import annotations

import re

MINUTE, HOUR = 60, 3600
"""Seconds."""

_PART = re.compile(r"(\d+)([smhd])", re.ASCII)
_UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": 24 * HOUR}


def parse_duration(text: str) -> int:
    """Seconds of `90s`, `15m`, `1h30m`, `2d` or plain seconds.

    Raises:
        ValueError: Not a duration.
    """
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return int(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(text) > 20:
        raise ValueError(f"{text!r} is no duration such as 15m, 1h or 1h30m")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def positive_seconds(value: object) -> int:
    """Seconds of a value in the YAML: what `parse_duration` reads, or a number of seconds.

    Raises:
        ValueError: Not a duration, or none that is longer than nothing.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a duration is text such as 1h, or seconds")
    seconds = value if isinstance(value, int) else parse_duration(value)
    if seconds <= 0:
        raise ValueError("a duration is longer than nothing")
    return seconds
