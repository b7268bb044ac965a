"""CloudTrail's files as a table of flat events, and the rules over it.

Files are read once, record by record, by Python's own JSON reader (faster here than an engine's,
and it names what is broken), into a table that DuckDB searches. Source: CloudTrail User Guide,
"CloudTrail record contents".
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from broker.errors import UsageError
from broker.owned_tempdir import owned_tempdir
from broker.private_opener import private_opener
from broker.report.finding import Rule, Source

MAX_FILE_BYTES = 256 << 20
"""Decompressed; CloudTrail's own files are some megabytes."""
MAX_TEXT = 2048
"""Characters of one value that are kept."""
MAX_WARNINGS = 20
EXTRA = "pip install 'awslogin[report]'"

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


def files_in(paths: Sequence[Path]) -> list[Path]:
    """The JSON files at and below these paths, in order.

    Raises:
        UsageError: One of them is not there.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(one for end in ("json", "json.gz") for one in path.rglob(f"*.{end}"))
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder", hint="check --cloudtrail")
    return found


class Trail:
    """Events in a table, until the `with` block ends.

    Args:
        source: Takes what was read, and what could not be.
        folder: A private folder, in which the table lies meanwhile.
    """

    def __init__(self, source: Source, folder: Path) -> None:
        self.source = source
        self._parent = folder
        self._ending = ExitStack()
        self._known: set[str] = set()

    def __enter__(self) -> Self:
        duckdb = _duckdb()
        self._folder = self._ending.enter_context(owned_tempdir(self._parent))
        self._connection = duckdb.connect(str(self._folder / "events.duckdb"))
        self._connection.execute("SET memory_limit = '512MB'")
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()
        self._ending.close()

    def read(self, files: Sequence[Path], since: str, until: str) -> None:
        """Fill the table with the events of that window; what cannot be read is a warning."""
        rows = self._folder / "events.csv"
        read = 0
        with open(rows, "w", newline="", encoding="utf-8", opener=private_opener) as stream:
            writer = csv.writer(stream)
            for file in files:
                try:
                    records = _records(file)
                except (OSError, EOFError, ValueError, RecursionError) as error:
                    self._warn(f"{file}: {_reason(error)}")
                    continue
                read += 1
                writer.writerows(self._rows(file, records, since, until))
        columns = ", ".join(f"{name} VARCHAR" for name in COLUMNS)
        self._connection.execute(f"CREATE TABLE read ({columns})")
        if rows.stat().st_size:
            typed = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
            self._connection.execute(
                f"INSERT INTO read SELECT * FROM read_csv(?, header = false, nullstr = '\\N',"
                f" quote = '\"', escape = '\"', columns = {{{typed}}}, max_line_size = 4000000)",
                [str(rows)],
            )
        rows.unlink()
        self._connection.execute(
            "CREATE VIEW events AS SELECT * REPLACE"
            " (COALESCE(request_policy, request_policy_name) AS request_policy) FROM read"
        )
        self.source.events = self._connection.execute("SELECT count(*) FROM read").fetchone()[0]
        self.source.start, self.source.end = since, until
        self.source.failed = not read

    def search(self, rule: Rule, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What a rule's query finds."""
        return self.rows(rule.sql.format(**values))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query, by column."""
        done = self._connection.execute(sql)
        names = [column[0] for column in done.description]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def _rows(self, file: Path, records: list[Any], since: str, until: str) -> Iterator[list[str]]:
        for number, record in enumerate(records):
            if not isinstance(record, dict):
                self._warn(f"{file}: record {number} is no object")
                continue
            row = [_value(record, path) for path in COLUMNS.values()]
            event, at = row[0], row[1]
            if not since <= at <= until:
                continue
            if event != _NULL:
                if event in self._known:
                    continue  # another trail's copy
                self._known.add(event)
            yield row

    def _warn(self, text: str) -> None:
        if len(self.source.warnings) < MAX_WARNINGS:
            self.source.warnings.append(text)
        elif len(self.source.warnings) == MAX_WARNINGS:
            self.source.warnings.append("and more")


_NULL = "\\N"


def _records(file: Path) -> list[Any]:
    """The records of a file.

    Raises:
        OSError, EOFError, ValueError, RecursionError: It is no CloudTrail file, or a broken one.
    """
    with file.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        opened = gzip.GzipFile(fileobj=raw) if packed else raw
        content = opened.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"more than {MAX_FILE_BYTES >> 20} MiB")
    document = json.loads(content)
    records = document.get("Records") if isinstance(document, dict) else None
    if not isinstance(records, list):
        raise ValueError("no CloudTrail file: it has no list of Records")
    return records


def _value(record: Any, path: tuple[str, ...]) -> str:
    """A value as text, however odd its type; the sign for none where there is none."""
    for key in path:
        if not isinstance(record, dict):
            return _NULL
        record = record.get(key)
    if record is None:
        return _NULL
    text = record if isinstance(record, str) else json.dumps(record)
    return text.replace("\0", "")[:MAX_TEXT]


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return str(error)[:200] or type(error).__name__


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise UsageError(
            "CloudTrail files are searched by DuckDB, which is not installed", hint=EXTRA
        ) from None
    return duckdb
