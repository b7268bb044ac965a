"""Values as our YAML writes them, of the forms that several tools share."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

HOUR, MINUTE = 3600, 60
_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
_UNITS = {"h": HOUR, "m": MINUTE, "s": 1}


def duration(seconds: object) -> str | None:
    """`1h`, `90m` or `100s` of a number of seconds; None of anything else."""
    text = str(seconds or "").strip()
    if not re.fullmatch(r"\d{1,9}", text) or not int(text):
        return None
    number = int(text)
    for unit, size in (("h", HOUR), ("m", MINUTE)):
        if number % size == 0:
            return f"{number // size}{unit}"
    return f"{number}s"


def go_duration(text: object) -> str | None:
    """The same of a duration as Go writes it: `4h`, `1h30m`, `3600s`; None of anything else."""
    parts = _GO_DURATION.findall(str(text or ""))
    if not parts or "".join(n + unit for n, unit in parts) != str(text).strip():
        return None
    return duration(int(sum(float(n) * _UNITS[unit] for n, unit in parts)))


def comma_separated(text: str | None) -> list[str]:
    """The items of a text such as `a, b`; none where there is no text."""
    return [item.strip() for item in (text or "").split(",") if item.strip()]


def pairs(text: str | None) -> dict[str, str]:
    """The pairs of `key=value,key=value`."""
    split = (item.partition("=") for item in comma_separated(text))
    return {key.strip(): value.strip() for key, is_pair, value in split if is_pair}


def site(url: str, fallback: str) -> str:
    """The first label of an address's host, as a provider's name; a number is none."""
    label = (urlsplit(url).hostname or "").split(".")[0]
    return label if re.fullmatch(r"[a-z][a-z0-9-]{1,30}", label) else fallback


def start_url(url: str) -> str:
    """An Identity Center's address without the page in it that a browser remembers."""
    return url.partition("#")[0].rstrip("/")
