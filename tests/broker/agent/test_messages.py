"""Messages by name: what is written is read, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from broker.agent import messages
from broker.agent.messages import decode, encode

MESSAGES = [
    messages.Declare(
        b"given", b"/a=b:c\xff", b"dev", b"id", True, {b"/f:1": b"1 2"}, {b"CI": b"-"}
    ),
    messages.Put(
        b"id", b"sign-in", b"dev", b"", b"", 1.5, -2.0, 3.25, {b"json": b"{\n}", b"x": b""}
    ),
    messages.Failed(b"4", b"a line"),
    messages.Keep(b"key", b"\xff\x01"),
    messages.Recalled(b""),
    messages.Forget(b"", b""),
    messages.Served({b"A": b"http://127.0.0.1:1/x"}),
    messages.Done(),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_what_is_written_is_read(message: Any) -> None:
    fields = encode(message)
    assert not any(b"\0" in field for field in fields)
    assert decode(type(message), fields) == message


def test_names_of_a_later_version_are_passed_over() -> None:
    assert decode(messages.Recall, [b"recall", b"why", b"x", b"name", b"key"]).name == b"key"


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b"recall"],
        [b"recall", b"name"],
        [b"keep", b"name", b"key"],
        [b"recall", b"mane", b"key"],
    ],
)
def test_what_is_no_such_message_is_refused(fields: list[bytes]) -> None:
    with pytest.raises(ValueError, match="Recall"):
        decode(messages.Recall, fields)
