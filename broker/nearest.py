"""The name that a misspelt one was meant to be. Owns how near is near enough."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str], *, cutoff: float = 0.5) -> str | None:
    """The most similar of the names, or None where none is similar.

    Args:
        name: As it was written.
        names: Those that there are.
        cutoff: From 0 (anything) to 1 (the same).
    """
    near = difflib.get_close_matches(name, list(names), 1, cutoff=cutoff)
    return near[0] if near else None


def did_you_mean(name: str, names: Iterable[str], *, cutoff: float = 0.5) -> str:
    """A hint that names the nearest; empty where none is near."""
    near = nearest(name, names, cutoff=cutoff)
    return f"did you mean `{near}`?" if near else ""
