"""The kinds of values in the YAML: durations, ARNs, account ids. Owns their forms."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

MINUTE, HOUR = 60, 3600

_PART = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": 24 * HOUR}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")

NAME = r"[A-Za-z0-9][A-Za-z0-9._@+-]*"
"""Profile and provider names: they need no quoting anywhere."""
REGION = r"[a-z]{2,}(-[a-z]+)+-[0-9]+"
SESSION_NAME = r"[A-Za-z0-9_+=,.@-]{2,64}"
"""STS API Reference, RoleSessionName and SourceIdentity."""
_IAM = "arn:aws[a-z-]*:iam::"
_PATH = "[A-Za-z0-9_+=,.@/-]+"
"""IAM API Reference: names of roles and policies, with their path."""


def parse_duration(text: str) -> int:
    """Seconds of `90s`, `15m`, `1h30m`, `2d` or plain seconds.

    Raises:
        ValueError: Not a duration.
    """
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text or len(text) > 20:
        raise ValueError(f"{text!r} is no duration such as 15m, 1h or 1h30m")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _duration(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a duration is text such as 1h, or seconds")
    seconds = value if isinstance(value, int) else parse_duration(value)
    if seconds <= 0:
        raise ValueError("a duration is longer than nothing")
    return seconds


def _account(value: object) -> object:
    """An unquoted account id is fine where YAML kept its twelve digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        if len(str(value)) != 12 or value < 0:
            raise ValueError("quote the account id: YAML did not keep its 12 digits")
        return str(value)
    return value


def _plain(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("line breaks and control characters are not allowed")
    return value


def _scalar_text(value: object) -> object:
    """A tag may look like a number or a boolean in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_plain)]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
Duration = Annotated[int, BeforeValidator(_duration, json_schema_input_type=int | str)]
AccountId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{12}$"),
    BeforeValidator(_account, json_schema_input_type=str | int),
]
Region = Annotated[str, StringConstraints(pattern=f"^{REGION}$")]
RoleName = Annotated[str, StringConstraints(pattern=f"^{_PATH}$"), AfterValidator(_plain)]
RoleArn = Annotated[str, StringConstraints(pattern=rf"^{_IAM}[0-9]{{12}}:role/{_PATH}$")]
PolicyArn = Annotated[str, StringConstraints(pattern=rf"^{_IAM}([0-9]{{12}}|aws):policy/{_PATH}$")]
MfaSerial = Annotated[
    str,
    StringConstraints(
        pattern=rf"^({_IAM}[0-9]{{12}}:(mfa|u2f|sms-mfa)/[!-~]+|[A-Za-z0-9_-]{{6,32}})$"
    ),
]
TagText = Annotated[
    Text, BeforeValidator(_scalar_text, json_schema_input_type=str | int | float | bool)
]
Tags = dict[Text, TagText]
