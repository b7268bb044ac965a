"""CloudTrail's records as rows of text, one by one: what is odd is named, the rest is read.

`documents` reads the files in which all is as AWS writes it, much faster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.report.records import BrokenFileError, records

MAX_TEXT = 2048
"""Characters of one value that are kept."""
MAX_WARNINGS = 20

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "event_id": ("eventID",),
    "event_time": ("eventTime",),
    "event_source": ("eventSource",),
    "event_name": ("eventName",),
    "event_type": ("eventType",),
    "region": ("awsRegion",),
    "address": ("sourceIPAddress",),
    "error_code": ("errorCode",),
    "account_id": ("recipientAccountId",),
    "identity_type": ("userIdentity", "type"),
    "arn": ("userIdentity", "arn"),
    "principal_id": ("userIdentity", "principalId"),
    "access_key": ("userIdentity", "accessKeyId"),
    "user_name": ("userIdentity", "userName"),
    "invoked_by": ("userIdentity", "invokedBy"),
    "on_behalf_of": ("userIdentity", "onBehalfOf", "userId"),
    "issuer_arn": ("userIdentity", "sessionContext", "sessionIssuer", "arn"),
    "source_identity": ("userIdentity", "sessionContext", "sourceIdentity"),
    "request_user": ("requestParameters", "userName"),
    "request_role": ("requestParameters", "roleArn"),
    "request_source_identity": ("requestParameters", "sourceIdentity"),
    "request_policy": ("requestParameters", "policyArn"),
    "request_policy_name": ("requestParameters", "policyName"),
    "login": ("responseElements", "ConsoleLogin"),
    "given_key": ("responseElements", "credentials", "accessKeyId"),
    "mfa_used": ("additionalEventData", "MFAUsed"),
    "saml_provider": ("additionalEventData", "SamlProviderArn"),
}
"""A column of `events` → where its value stands in a record."""
OBJECTS: list[tuple[str, ...]] = sorted(
    {path[:length] for path in COLUMNS.values() for length in range(len(path))},
    key=lambda path: (len(path), path),
)
"""The record and the objects within it that hold values, the outer ones first."""
_PARENTS = [(OBJECTS.index(path[:-1]), path[-1]) for path in OBJECTS[1:]]
"""For each object but the record: the number of the one around it, and its key there."""
VALUES = [[path[-1] for path in COLUMNS.values() if path[:-1] == place] for place in OBJECTS]
"""For each object the keys of its values."""
FIELDS = [name for place in OBJECTS for name, path in COLUMNS.items() if path[:-1] == place]
"""The columns in the order of a row."""
_TIME = FIELDS.index("event_time")
_OWN = VALUES[0]
"""Keys of the first values of a row, which are text in every event."""
_ORDINARY = {str, type(None)}


def within_object(place: int) -> list[tuple[str, int]]:
    """The objects within one of `OBJECTS`: their keys and their own numbers."""
    return [(key, number) for number, (parent, key) in enumerate(_PARENTS, 1) if parent == place]


@dataclass
class Outcome:
    """How reading went.

    Attributes:
        read: Files of which something could be read.
        warnings: What could not be, at most `MAX_WARNINGS` and a line that there are more.
    """

    read: int = 0
    warnings: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Take another part's."""
        self.read += other.read
        for warning in other.warnings:
            self.warn(warning)

    def warn(self, text: str) -> None:
        """Keep a warning."""
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)
        elif len(self.warnings) == MAX_WARNINGS:
            self.warnings.append("and more")


def read(
    files: Iterable[tuple[str, str]], since: str, until: str, add: Callable[[list[Any]], None]
) -> Outcome:
    """Hand over the rows of the events in a window.

    Args:
        files: Each file's path, and its name for warnings.
        since: UTC, as CloudTrail writes it.
        until: The same.
        add: Takes a row: texts and None, in the order of `FIELDS`.
    """
    outcome = Outcome()
    for path, name in files:
        found = 0
        try:
            for number, record in enumerate(records(Path(path))):
                found = number + 1
                row = _row(record, outcome, name, number)
                if row and since <= row[_TIME] <= until:
                    add(row)
        except BrokenFileError as error:
            outcome.warn(f"{name}: {error}")
        except (OSError, EOFError) as error:
            outcome.warn(f"{name}: {getattr(error, 'strerror', None) or error}")
            continue
        else:
            found += 1  # an empty list is a file that was read
        outcome.read += bool(found)
    return outcome


def _row(record: Any, outcome: Outcome, name: str, number: int) -> list[Any] | None:
    if type(record) is not dict:
        outcome.warn(f"{name}: record {number} is no object")
        return None
    objects = [record]
    for parent, key in _PARENTS:
        held = objects[parent].get(key)
        if type(held) is not dict:
            if held is not None and parent == 0:
                outcome.warn(f"{name}: record {number}: {key} is no object")
            held = {}
        objects.append(held)
    row: list[Any] = []
    for held, keys in zip(objects, VALUES, strict=True):
        row.extend(map(held.get, keys))
    if type(row[_TIME]) is not str:
        outcome.warn(f"{name}: record {number} has no eventTime")
        return None
    if not _ORDINARY.issuperset(map(type, row)):
        _flatten(row, outcome, f"{name}: record {number}")
    whole = "".join(filter(None, row))
    if len(whole) > MAX_TEXT or "\0" in whole:
        row = [value and value.replace("\0", "")[:MAX_TEXT] for value in row]
    return [value or None for value in row]


def _flatten(row: list[Any], outcome: Outcome, where: str) -> None:
    """Make text of values of other types, however odd."""
    for place, value in enumerate(row):
        if type(value) not in _ORDINARY:
            if place < len(_OWN):
                outcome.warn(f"{where}: {_OWN[place]} is no text")
            row[place] = json.dumps(value)
