"""The agent's messages by name, off the warm path: a frame of the verb, then names and values.

Owns their form alone. `get` and its answers are positional bytes, for speed: `broker.warm`.
`status`, `lock` and `stop` have no values: any version of the agent understands them of any other.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

M = TypeVar("M")


class Declare(NamedTuple):
    """One way of asking for a session, and all that must be as it was for an answer to hold.

    Attributes:
        how: How the config was found: `broker.warm.place_of`.
        config: Its path.
        profile: The profile's name.
        session_id: Names the session that is asked for.
        lasting: False where a file changed just now: it serves those who wait alone.
        validators: Fingerprints of the files that were read, by path.
        vary: Variables that were looked at, by name: `+value`, or `-` where it is not set.
    """

    how: bytes
    config: bytes
    profile: bytes
    session_id: bytes
    lasting: bool
    validators: dict[bytes, bytes]
    vary: dict[bytes, bytes]


class Put(NamedTuple):
    """A session in every format; times are seconds of the epoch.

    Attributes:
        session_id: Names it.
        sign_in_id: Names the sign-in it came from.
        profile: The profile's name.
        file: Where it lies at rest; empty for one that is not kept, which is for those who wait.
        fingerprint: That file's.
        fresh_until: Commands get it until then.
        refresh_at: One that is used is got anew from then on.
        expires_at: Its end.
        texts: The bytes of each format, by the format's name.
    """

    session_id: bytes
    sign_in_id: bytes
    profile: bytes
    file: bytes
    fingerprint: bytes
    fresh_until: float
    refresh_at: float
    expires_at: float
    texts: dict[bytes, bytes]


class Failed(NamedTuple):
    """The sender could not sign in: its exit code, and its line on stderr."""

    code: bytes
    line: bytes


class Keep(NamedTuple):
    """Hold an unlocked key."""

    name: bytes
    value: bytes


class Recall(NamedTuple):
    """Ask for an unlocked key."""

    name: bytes


class Lend(NamedTuple):
    """Ask for a token by which a child has an unlocked key."""

    name: bytes


class Forget(NamedTuple):
    """Drop a sign-in's sessions, of one profile; an empty name means all."""

    sign_in_id: bytes
    profile: bytes


class Endpoint(NamedTuple):
    """Ask for the container endpoint of a session."""

    session_id: bytes


class Held(NamedTuple):
    """Ask whether a fresh session is held; nothing of it is handed out, nor counts it as used."""

    session_id: bytes


class Holding(NamedTuple):
    """The answer to `Held`."""

    fresh: bool


class Done(NamedTuple):
    """The answer of what has no other."""


class Recalled(NamedTuple):
    """The answer to `Recall`; empty where there is no such key."""

    value: bytes


class Lent(NamedTuple):
    """The answer to `Lend`; empty where there is no such key."""

    token: bytes


class Served(NamedTuple):
    """The answer to `Endpoint`: variables that lead an SDK there."""

    variables: dict[bytes, bytes]


class Running(NamedTuple):
    """The answer to `status`: the agent's process, and how many fresh sessions it holds."""

    pid: bytes
    sessions: bytes


def encode(message: Any) -> list[bytes]:
    """A message as the fields of a frame, none of which may hold a NUL."""
    fields = [_verb(type(message))]
    for name, value in message._asdict().items():
        if isinstance(value, dict):
            for key, inner in value.items():
                fields += [name.encode() + b":" + key, inner]
        else:
            fields += [name.encode(), _bytes(value)]
    return fields


def decode(kind: type[M], fields: Sequence[bytes]) -> M:
    """A message of this kind; names that it does not have are a later version's.

    Raises:
        ValueError: The fields are no such message.
    """
    if fields[:1] != [_verb(kind)] or len(fields) % 2 == 0:
        raise ValueError(f"no {kind.__name__}")
    given = dict(zip(fields[1::2], fields[2::2], strict=True))
    values: dict[str, Any] = {}
    for name, expected in kind.__annotations__.items():
        own = name.encode()
        if expected == dict[bytes, bytes]:
            within = {k.partition(b":"): value for k, value in given.items()}
            values[name] = {key: v for (start, _, key), v in within.items() if start == own}
        elif own in given:
            values[name] = _value(expected, given[own])
        else:
            raise ValueError(f"{kind.__name__} without {name}")
    return kind(**values)


def _verb(kind: type) -> bytes:
    return kind.__name__.lower().encode()


def _bytes(value: bytes | float | bool) -> bytes:  # noqa: FBT001
    if isinstance(value, bool):
        return b"yes" if value else b"no"
    return value if isinstance(value, bytes) else b"%f" % value


def _value(kind: type, value: bytes) -> bytes | float | bool:
    if kind is bool:
        return value == b"yes"
    return float(value) if kind is float else value
