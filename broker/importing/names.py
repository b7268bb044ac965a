"""Names of ours for what another tool names: the rule, and that no two are alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import count

from broker.config.naming import word
from broker.config.values import NAME


def is_ours(name: str) -> bool:
    """Whether our rule takes the name as it is."""
    return bool(re.fullmatch(NAME, name, re.ASCII))


def choices(name: str, fallback: str) -> Iterator[str]:
    """The name by our rule, then with a number behind it.

    Letters are those of ASCII (`ä` is `a`), a run of others becomes a dash, and it begins with a
    letter or a digit.
    """
    plain = re.sub(r"^[^A-Za-z0-9]+", "", word(name)) or fallback
    yield plain
    yield from (f"{plain}-{number}" for number in count(2))


def free(name: str, fallback: str, used: Collection[str]) -> str:
    """The first of the choices that is not used."""
    return next(choice for choice in choices(name, fallback) if choice not in used)


def of_profiles(names: Iterable[str]) -> dict[str, str]:
    """The tool's name of each profile → ours: its own where the rule takes it."""
    names = list(names)
    ours = {name: name for name in names if is_ours(name)}
    used = set(ours)
    further: dict[str, Iterator[str]] = {}  # thousands may be alike by our rule
    for name in names:
        if name not in ours:
            first = next(choices(name, "profile"))
            left = further.setdefault(first, choices(name, "profile"))
            ours[name] = next(choice for choice in left if choice not in used)
            used.add(ours[name])
    return ours
