"""The kinds of values in the YAML: ARNs, account ids, names, tags. Owns their forms."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from broker.config.document import OtherNumber
from broker.regions import REGION

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")

NAME = r"[A-Za-z0-9][A-Za-z0-9._@+-]*"
"""Profile and provider names: they need no quoting anywhere."""
_IAM = "arn:aws[a-z-]*:iam::"
_PATH = "[A-Za-z0-9_+=,.@/-]+"
_ROLE = "([!-.0-~][!-~]*/)?[A-Za-z0-9_+=,.@-]+"
"""A path may hold any printable character, a name may not (IAM API Reference, CreateRole)."""
"""IAM API Reference: names of roles and policies, with their path."""


def _account(value: object) -> object:
    """An unquoted account id is fine where YAML kept its twelve digits."""
    if isinstance(value, bool) or not isinstance(value, int | OtherNumber):
        return value
    if isinstance(value, OtherNumber) or len(str(value)) != 12 or value < 0:
        raise ValueError("quote the account id: YAML did not keep its 12 digits")
    return str(value)


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
AccountId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{12}$"),
    BeforeValidator(_account, json_schema_input_type=str | int),
]
Region = Annotated[str, StringConstraints(pattern=f"^{REGION}$")]
RoleName = Annotated[str, StringConstraints(pattern=f"^{_ROLE}$"), AfterValidator(_plain)]
RoleArn = Annotated[str, StringConstraints(pattern=rf"^{_IAM}[0-9]{{12}}:role/{_ROLE}$")]
POLICY_ARN = rf"{_IAM}([0-9]{{12}}|aws):policy/{_PATH}"
PolicyArn = Annotated[str, StringConstraints(pattern=f"^{POLICY_ARN}$")]
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
