"""AWS's query protocol: XML replies and errors. Shared by STS and IAM."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from tests.sandbox.server import Answer
from tests.sandbox.sigv4 import RefusedError
from tests.sandbox.world import Keys

_XML = {"Content-Type": "text/xml"}


def reply(action: str, namespace: str, result: Mapping[str, Any]) -> Answer:
    """The XML of a successful action."""
    return Answer(
        200,
        f'<{action}Response xmlns="{namespace}"><{action}Result>{_xml(result)}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        f"</{action}Response>",
        _XML,
    )


def refusal(error: RefusedError, namespace: str) -> Answer:
    """The XML of an error."""
    kind = "Sender" if error.status < 500 else "Receiver"
    return Answer(
        error.status,
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type>'
        f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>",
        _XML,
    )


def members(form: Mapping[str, str], name: str) -> list[str]:
    """`Name.member.1`, `Name.member.2`, …"""
    found: list[str] = []
    while (key := f"{name}.member.{len(found) + 1}") in form:
        found.append(form[key])
    return found


def pairs(form: Mapping[str, str], name: str, key: str, value: str) -> dict[str, str]:
    """`Name.member.1.Key` and `.Value` as a mapping."""
    found: dict[str, str] = {}
    number = 1
    while (start := f"{name}.member.{number}") + f".{key}" in form:
        found[form[f"{start}.{key}"]] = form.get(f"{start}.{value}", "")
        number += 1
    return found


def number(form: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of the form.

    Raises:
        RefusedError: It is none.
    """
    text = form.get(name, str(default))
    if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
        raise RefusedError("MalformedInput", f"{name} is not a number", 400)
    return int(text)


def iso(moment: float) -> str:
    """A time as AWS writes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def credentials(keys: Keys) -> dict[str, str]:
    """The `Credentials` element."""
    assert keys.token
    assert keys.expires
    return {
        "AccessKeyId": keys.key_id,
        "SecretAccessKey": keys.secret,
        "SessionToken": keys.token,
        "Expiration": iso(keys.expires),
    }


def _xml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(inner)}</{name}>" for name, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(inner)}</member>" for inner in value)
    return escape(str(value))
