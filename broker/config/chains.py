"""Sources behind one another: circles and chains without end, found in linear time. Pure."""

from __future__ import annotations

from collections.abc import Mapping

LONGEST_CHAIN = 50
"""Profiles behind one another; AWS itself sets no bound, reason does."""


def chain_flaws(sources: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the chain of a profile, for those where it is.

    Args:
        sources: Profile → its source, for those that have one.
    """
    depths: dict[str, int] = {}
    circles: dict[str, str] = {}
    for start in sources:
        walked: dict[str, int] = {}
        name = start
        while name in sources and name not in depths and name not in circles:
            if name in walked:
                circles |= _circle(list(walked)[walked[name] :])
                break
            walked[name] = len(walked)
            name = sources[name]
        for behind in reversed(walked):
            if behind in circles:
                continue
            if sources[behind] in circles:
                circles[behind] = circles[sources[behind]]
            else:
                depths[behind] = depths.get(sources[behind], 1) + 1
    too_long = f"stands on more than {LONGEST_CHAIN} sources"
    return {name: too_long for name, depth in depths.items() if depth > LONGEST_CHAIN} | circles


def _circle(members: list[str]) -> dict[str, str]:
    """Profile → its error: the way round the circle, from itself to itself."""
    problem = "the sources run in a circle"
    if len(members) > LONGEST_CHAIN:
        return dict.fromkeys(members, f"{problem} of {len(members)} profiles")
    return {
        name: f"{problem}: {' → '.join([*members[place:], *members[:place], name])}"
        for place, name in enumerate(members)
    }
