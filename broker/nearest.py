"""The name that a misspelt one was meant to be. Owns how near is near enough."""

from __future__ import annotations

from collections.abc import Collection, Iterable

MAX_LETTERS = 200
"""Of names that are compared: the work grows with the square."""


def nearest(name: str, names: Iterable[str], *, cutoff: float = 0.5) -> str | None:
    """The most similar of the names, or None where none is similar.

    Args:
        name: As it was written.
        names: Those that there are.
        cutoff: From 0 (anything) to 1 (the same).
    """
    import difflib

    if len(name) > MAX_LETTERS:
        return None
    likely = [other for other in names if len(other) <= MAX_LETTERS]
    near = difflib.get_close_matches(name, likely, 1, cutoff=cutoff)
    return near[0] if near else None


def did_you_mean(name: str, names: Iterable[str], *, cutoff: float = 0.5) -> str:
    """A hint that names the nearest; empty where none is near."""
    near = nearest(name, names, cutoff=cutoff)
    return f"did you mean `{near}`?" if near else ""


class Suggestions:
    """`did_you_mean` for a file that may hold very many wrong names: after some it is silent.

    Args:
        comparisons: Of two names, in all; each takes some microseconds.
    """

    def __init__(self, comparisons: int = 100_000) -> None:
        self._left = comparisons

    def __call__(self, name: str, names: Collection[str]) -> str:
        """A hint that names the nearest; empty where none is near, or too many were asked for."""
        self._left -= len(names)
        return did_you_mean(name, names) if self._left >= 0 else ""
