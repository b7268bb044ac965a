"""Seconds to wait before a request is repeated."""

from __future__ import annotations

import random
import time


def backoff(attempt: int) -> float:
    """Longer each time, with jitter."""
    return random.uniform(0.2, 0.5) * float(2**attempt)  # noqa: S311 - jitter, not a secret


def retry_after(value: str, attempt: int) -> float:
    """What a `Retry-After` asks for, in seconds or as a date; else `backoff`."""
    if value.isdecimal():
        return float(value)
    try:
        from email.utils import parsedate_to_datetime

        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return backoff(attempt)
