"""New profiles that the config would call spoiled: what spoils one goes, or the whole profile."""

from __future__ import annotations

from collections.abc import Callable

from broker.config import Config
from broker.config.document import Document
from broker.config.profile import LONGEST_CHAINED
from broker.durations import parse_duration
from broker.errors import ConfigError

ESSENTIAL = frozenset({"provider", "source", "account", "role", "role_arn"})
"""Without one of these a profile would be another one; any other value may stay behind."""

_TOO_LONG = (
    "AWS gives at most 1 hour to a role that is taken from temporary credentials (here those of {})"
)

Profiles = dict[str, dict[str, object]]
Removal = tuple[str, str, str]
"""What was taken away: the profile's name, the key (empty: the whole profile) and the reason."""


def take_away(config: Config, document: Document, profiles: Profiles) -> list[Removal]:
    """Take what spoils them out of `profiles`; call it again until nothing was taken.

    A profile whose source is spoiled goes with its source; where the source was mended, it waits
    for the next time.
    """
    errors: dict[str, ConfigError] = {}
    for name in profiles:
        try:
            config.profile(name)
        except ConfigError as error:
            errors[name] = error
    removals = [
        _take(name, error, document, profiles)
        for name, error in errors.items()
        if profiles[name].get("source") not in errors
    ]
    gone = {name: name not in profiles for name, _, _ in removals}
    for name in errors:
        for follower in _followers(name, errors, profiles, gone):
            if gone[follower]:
                removals.append((follower, "source", errors[follower].reason))
                del profiles[follower]
    return removals


def _take(name: str, error: ConfigError, document: Document, profiles: Profiles) -> Removal:
    """Take the value away that the error stands at, or the profile."""
    values = profiles[name]
    places = ((key, document.places.get(("profiles", name, key))) for key in values)
    at = [
        key
        for key, place in places
        if place and (place.line, place.column) == (error.line, error.column)
    ]
    key = at[0] if at else ""
    if key and key not in ESSENTIAL:
        del values[key]
    else:
        del profiles[name]
    return name, key, error.reason.removeprefix(f"profile `{name}`: ")


def _followers(
    name: str, errors: dict[str, ConfigError], profiles: Profiles, gone: dict[str, bool]
) -> list[str]:
    """The profiles of a chain whose fate is not known yet, which is that of its beginning."""
    chain: list[str] = []
    at = name
    while at not in gone and at in errors and at not in chain:
        chain.append(at)
        at = str(profiles[at]["source"])
    fate = gone.get(at, True)  # a circle goes whole
    gone.update(dict.fromkeys(chain, fate))
    return chain


def drop_long_durations(profiles: Profiles, is_user: Callable[[str], bool]) -> list[Removal]:
    """Take durations away that AWS does not give to a role taken with a session; what was taken.

    The config would refuse them too; it is asked once only where few profiles are wrong.

    Args:
        profiles: New ones; changed.
        is_user: Whether a profile is a user with keys and no role.
    """
    removals: list[Removal] = []
    for name, values in profiles.items():
        source, duration = values.get("source"), values.get("duration")
        if not (source and duration) or parse_duration(str(duration)) <= LONGEST_CHAINED:
            continue
        if not is_user(str(source)):
            del values["duration"]
            removals.append((name, "duration", _TOO_LONG.format(source)))
    return removals
