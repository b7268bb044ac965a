"""CloudTrail's files as a table of flat events, which the rules search.

Each file is read once, by as many processes as there are processors, record by record (`reading`):
what is broken is named, and the rest is read. DuckDB searches the table.
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
from broker.private_opener import private_opener
from broker.report import reading
from broker.report.finding import Source
from broker.report.reading import FIELDS, Outcome

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

    def __enter__(self) -> Self:
        duckdb = _duckdb()
        self.folder = self._ending.enter_context(owned_tempdir(self._parent))
        self._connection = duckdb.connect(str(self.folder / "events.duckdb"))
        self._connection.execute("SET memory_limit = '512MB'")
        self._connection.execute("SET enable_progress_bar = false")  # it would go to stdout
        columns = ", ".join(f"{name} VARCHAR" for name in FIELDS)
        self._connection.execute(f"CREATE TABLE read ({columns})")
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()
        self._ending.close()

    def read(self, files: Sequence[File]) -> None:
        """Add the events of these files; what cannot be read is a warning of the source."""
        if len(files) <= FILES_ALONE:
            parts = [self._alone(files)]
        else:
            parts = self._in_processes(files, min(os.cpu_count() or 1, MAX_PROCESSES))
        typed = ", ".join(f"'{name}': 'VARCHAR'" for name in FIELDS)
        for rows, outcome in parts:
            self._outcome.read += outcome.read
            for warning in outcome.warnings:
                self._outcome.warn(warning)
            if rows.stat().st_size:
                self._connection.execute(
                    "INSERT INTO read SELECT * FROM read_csv(?, header = false, quote = '\"',"
                    f" escape = '\"', columns = {{{typed}}}, max_line_size = 4000000)",
                    [str(rows)],
                )
            rows.unlink()

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

    def _alone(self, files: Sequence[File]) -> tuple[Path, Outcome]:
        rows = self.folder / "rows.csv"
        with open(
            rows, "w", newline="", encoding="utf-8", errors="replace", opener=private_opener
        ) as stream:
            return rows, reading.read(files, self._since, self._until, stream)

    def _in_processes(self, files: Sequence[File], count: int) -> list[tuple[Path, Outcome]]:
        """Share the files among processes; one that dies is a warning."""
        running = []
        done = []
        try:
            for number in range(count):
                rows = self.folder / f"rows-{number}.csv"
                with open(rows, "wb", opener=private_opener) as stream:
                    process = subprocess.Popen(
                        isolated.command("broker.report.reading"),
                        stdin=subprocess.PIPE,
                        stdout=stream,
                        stderr=subprocess.PIPE,
                    )
                asked = {"files": files[number::count], "since": self._since, "until": self._until}
                running.append((rows, process, json.dumps(asked).encode()))
            for _, process, words in running:
                assert process.stdin
                process.stdin.write(words)
                process.stdin.close()
                process.stdin = None
            for rows, process, _ in running:
                _, told = process.communicate()
                done.append((rows, _outcome(process.returncode, told)))
        finally:
            for _, process, _ in running:
                process.kill()
                process.wait()
        return done


def _outcome(code: int, told: bytes) -> Outcome:
    """What a reading process says at its end."""
    try:
        return Outcome(**json.loads(told.splitlines()[-1]))
    except (ValueError, TypeError, IndexError):
        return Outcome(0, [f"a process that reads files has ended with {code}: some are not read"])


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise UsageError(
            "CloudTrail files are searched by DuckDB, which is not installed", hint=EXTRA
        ) from None
    return duckdb
