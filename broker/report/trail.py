"""CloudTrail's files as a table of flat events, which the rules search.

Each file is read once, by as many processes as there are processors (`documents`); DuckDB loads
what they write, and searches it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from broker import isolated
from broker.errors import UsageError
from broker.owned_tempdir import owned_tempdir
from broker.report import documents
from broker.report.finding import Source
from broker.report.reading import COLUMNS, FIELDS, VALUES, Outcome, within_object

EXTRA = "pip install 'awslogin[report]'"
FILES_ALONE = 24
"""Up to so many files this process reads by itself."""
MAX_PROCESSES = 8

File = tuple[str, str]
"""A path, and its name in warnings."""


def files_in(paths: Sequence[Path]) -> list[File]:
    """The JSON files at and below these paths, in order.

    Raises:
        UsageError: One of them is not there.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            ends = (".json", ".json.gz")
            found += sorted(file for file in path.rglob("*") if file.name.endswith(ends))
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder", hint="check --cloudtrail")
    return [(str(path), str(path)) for path in found]


class Trail:
    """Events in a table, until the `with` block ends.

    Args:
        source: Takes what was read, and what could not be.
        folder: A private folder, in which lies meanwhile what memory does not hold.
        since: Events from then on, UTC, as CloudTrail writes it.
        until: Up to then.
    """

    def __init__(self, source: Source, folder: Path, since: str, until: str) -> None:
        self._source = source
        self._parent = folder
        self._since, self._until = since, until
        self._ending = ExitStack()
        self._outcome = Outcome()

    def __enter__(self) -> Self:
        duckdb = _duckdb()
        self.folder = self._ending.enter_context(owned_tempdir(self._parent))
        self._connection = duckdb.connect()
        self._connection.execute("SET memory_limit = '512MB'")
        self._connection.execute(f"SET temp_directory = {_quoted(str(self.folder))}")
        self._connection.execute("SET enable_progress_bar = false")  # it would go to stdout
        self._connection.execute("SET preserve_insertion_order = false")  # both processors load
        self._connection.execute(f"SET allowed_directories = [{_quoted(f'{self.folder}/')}]")
        self._connection.execute("SET enable_external_access = false")  # it opens no other file
        columns = ", ".join(f"{name} VARCHAR" for name in FIELDS)
        self._connection.execute(f"CREATE TABLE read ({columns})")
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()
        self._ending.close()

    def read(self, files: Sequence[File]) -> None:
        """Add the events of these files; what cannot be read is a warning of the source."""
        if len(files) <= FILES_ALONE:
            parts = [self._part(0)]
            self._outcome.add(documents.write(files, self._since, self._until, parts[0]))
        else:
            count = min(os.cpu_count() or 1, MAX_PROCESSES)
            parts = [self._part(number) for number in range(count)]
            self._in_processes(files, parts)
        self._load([part for part in parts if (part / documents.ROWS).exists()])

    def finish(self) -> None:
        """All is read: the events, each once, are the view `events`; the source tells of them."""
        ((rows, events),) = self._connection.execute(
            "SELECT count(*), count(DISTINCT hash(event_id)) FROM read WHERE event_id IS NOT NULL"
        ).fetchall()
        if rows > events:  # another trail has delivered them too
            self._connection.execute(
                "DELETE FROM read WHERE event_id IS NOT NULL AND rowid NOT IN"
                " (SELECT min(rowid) FROM read GROUP BY event_id)"
            )
        self._connection.execute(
            "CREATE VIEW events AS SELECT * REPLACE"
            " (COALESCE(request_policy, request_policy_name) AS request_policy,"
            " COALESCE(arn, on_behalf_of) AS arn) FROM read"
        )
        ((self._source.events,),) = self._connection.execute("SELECT count(*) FROM read").fetchall()
        self._source.start, self._source.end = self._since, self._until
        self._source.warnings += self._outcome.warnings
        self._source.failed = not self._outcome.read

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query, by column."""
        done = self._connection.execute(sql)
        names = [column[0] for column in done.description]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def _in_processes(self, files: Sequence[File], parts: Sequence[Path]) -> None:
        """Share the files among processes; one that dies is a warning."""
        running = []
        try:
            for number, part in enumerate(parts):
                process = subprocess.Popen(
                    isolated.command("broker.report.documents"),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
                task = {
                    "files": files[number :: len(parts)],
                    "since": self._since,
                    "until": self._until,
                    "folder": str(part),
                }
                running.append((process, json.dumps(task).encode()))
            for process, task_text in running:
                assert process.stdin
                process.stdin.write(task_text)
                process.stdin.close()
                process.stdin = None
            for process, _ in running:
                reply, _ = process.communicate()
                self._outcome.add(_outcome(process.returncode, reply))
        finally:
            for process, _ in running:
                process.kill()
                process.wait()

    def _part(self, number: int) -> Path:
        folder = self.folder / f"part-{number}"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _load(self, parts: Sequence[Path]) -> None:
        """Take what `documents` has written there into the table."""
        window = [self._since, self._until]
        lines = [str(part / documents.LINES) for part in parts]
        if lines:
            self._connection.execute(_LINES_LOADED, [lines, *window])
        for part in parts:
            with (part / documents.ROWS).open(encoding="utf-8") as batches:
                for batch in batches:
                    self._connection.execute(_ROWS_LOADED, [batch])
            for name in (documents.LINES, documents.ROWS):
                (part / name).unlink()


def _fields(place: int) -> dict[str, str]:
    """What an object's lines have, and the types that DuckDB gives them."""
    objects = {key: _fields(number) for key, number in within_object(place)}
    return dict.fromkeys(VALUES[place], "VARCHAR") | {
        key: f"STRUCT({', '.join(f'{name} {kind}' for name, kind in fields.items())})"
        for key, fields in objects.items()
    }


_VALUES = ", ".join(f"nullif({'.'.join(COLUMNS[name])}, '')" for name in FIELDS)
_LINES_LOADED = (
    f"INSERT INTO read SELECT {_VALUES} FROM read_json(?, format = 'newline_delimited',"
    " ignore_errors = true,"  # a process that died has left half a line
    f" columns = {_fields(0)}) WHERE eventTime BETWEEN ? AND ?"
)
_ROWS_LOADED = (
    f"INSERT INTO read SELECT {', '.join(f'row[{number + 1}]' for number in range(len(FIELDS)))}"
    " FROM (SELECT unnest(from_json(?, '[[\"VARCHAR\"]]')) AS row)"
)


def _outcome(code: int, reply: bytes) -> Outcome:
    """What a process says at its end."""
    try:
        return Outcome(**json.loads(reply))
    except (ValueError, TypeError):
        return Outcome(0, [f"a process that reads files has ended with {code}: some are not read"])


def _quoted(text: str) -> str:
    """Text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _duckdb() -> Any:
    try:
        import duckdb
        import isal  # noqa: F401 - for `documents`, as the next one
        import msgspec  # noqa: F401
    except ImportError:
        raise UsageError(
            "CloudTrail files are searched by DuckDB, which is not installed", hint=EXTRA
        ) from None
    return duckdb
