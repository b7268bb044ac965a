"""CloudTrail's files as a table of flat events, which the rules search.

Each file is read once, by as many threads as there are processors: DuckDB decodes the texts of
whole files (`documents`); the files in which something is odd or broken are read record by record
(`reading`), so that it is named and the rest is read. DuckDB searches the table.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from broker.errors import UsageError
from broker.owned_tempdir import owned_tempdir
from broker.ports.parallel import in_parallel
from broker.report import documents, reading
from broker.report.finding import Source
from broker.report.reading import Outcome
from broker.report.records import whole_text

EXTRA = "pip install 'awslogin[report]'"
MAX_THREADS = 8
PART_FILES = 16
BATCH_CHARACTERS = 4 << 20
"""So much text is decoded at once, and one file more."""
BATCH_ROWS = 5000

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
            found += sorted(one for one in path.rglob("*") if one.name.endswith(ends))
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder", hint="check --cloudtrail")
    return [(str(path), str(path)) for path in found]


class Trail:
    """Events in a table, until the `with` block ends.

    Args:
        source: Takes what was read, and what could not be.
        folder: A private folder, in which the table lies meanwhile.
        since: Events from then on, UTC, as CloudTrail writes it.
        until: Up to then.
    """

    def __init__(self, source: Source, folder: Path, since: str, until: str) -> None:
        self._source = source
        self._parent = folder
        self._since, self._until = since, until
        self._ending = ExitStack()
        self._outcome = Outcome()
        self._files = 0

    def __enter__(self) -> Self:
        duckdb = _duckdb()
        self.folder = self._ending.enter_context(owned_tempdir(self._parent))
        self._connection = duckdb.connect(str(self.folder / "events.duckdb"))
        self._connection.execute("SET memory_limit = '512MB'")
        self._connection.execute("SET enable_progress_bar = false")  # it would go to stdout
        self._connection.execute("SET enable_external_access = false")  # it opens no other file
        self._connection.execute(documents.TABLE)
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()
        self._ending.close()

    def read(self, files: Sequence[File]) -> None:
        """Add the events of these files; what cannot be read is a warning of the source."""
        numbers = range(self._files, self._files + len(files))
        self._files += len(files)
        numbered = list(zip(numbers, files, strict=True))
        parts = [numbered[start : start + PART_FILES] for start in range(0, len(files), PART_FILES)]
        threads = min(os.cpu_count() or 1, MAX_THREADS)
        odd = set[int]().union(*in_parallel(self._decoded, parts, at_once=threads))
        odd |= documents.take_out_odd(self._connection)
        self._outcome.read += len(files) - len(odd)
        self._one_by_one([file for number, file in numbered if number in odd])

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
            "CREATE VIEW events AS SELECT * EXCLUDE (document, fine) REPLACE"
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

    def _decoded(self, files: Sequence[tuple[int, File]]) -> set[int]:
        """A thread's work: add the events of these files; the numbers of those that are left."""
        odd: set[int] = set()
        texts: dict[int, str] = {}
        with self._connection.cursor() as cursor:
            for number, file in files:
                text = _text(file)
                if text is None or text.count('"Records"') != 1:  # a second would not be seen
                    odd.add(number)
                    continue
                texts[number] = text
                if sum(map(len, texts.values())) >= BATCH_CHARACTERS:
                    odd |= documents.add(cursor, texts, self._since, self._until)
                    texts = {}
            return odd | documents.add(cursor, texts, self._since, self._until)

    def _one_by_one(self, files: Sequence[File]) -> None:
        rows: list[list[Any]] = []

        def add(row: list[Any]) -> None:
            rows.append(row)
            if len(rows) == BATCH_ROWS:
                documents.add_rows(self._connection, rows)
                rows.clear()

        self._outcome.add(reading.read(files, self._since, self._until, add))
        if rows:
            documents.add_rows(self._connection, rows)


def _text(file: File) -> str | None:
    try:
        return whole_text(Path(file[0]))
    except OSError:
        return None  # `reading` says why


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise UsageError(
            "CloudTrail files are searched by DuckDB, which is not installed", hint=EXTRA
        ) from None
    return duckdb
