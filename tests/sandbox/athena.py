"""Athena over one CloudTrail table, whose queries DuckDB runs. Source: Athena API Reference."""

from __future__ import annotations

import json
import re
import threading
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from broker.report.athena_table import ddl
from tests.sandbox.server import Answer, Asked, as_json
from tests.sandbox.sigv4 import RefusedError, caller
from tests.sandbox.world import World

PAGE_ROWS = 5


class Athena:
    """Knobs: `scan` (bytes a query), `cutoff`, `ending` (of a query: state and reason), `polls`
    (until a query has ended), `refused` (code and message of every call), `columns`.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._found: dict[str, tuple[str, int]] = {}
        self._results: dict[str, list[list[Any]]] = {}
        self.queries: list[str] = []
        self.stopped: list[str] = []
        self.scan = 1_000_000
        self.cutoff: int | None = 10_000_000_000
        self.polls = 0
        self.ending = ("SUCCEEDED", "")
        self.refused: tuple[str, str] | None = None
        self.columns = list(columns())
        self.keys = ["account", "region", "timestamp"]
        self.parameters: dict[str, str] = {}
        self._tables: Any = None

    def load(self, folder: Path) -> None:
        """Fill the table with the files of a folder, as CloudTrail's SerDe reads them."""
        import gzip

        rows = folder.parent / "athena.json"
        with rows.open("w") as stream:
            for file in sorted(folder.rglob("*.json.gz")):
                for record in json.loads(gzip.decompress(file.read_bytes()))["Records"]:
                    stream.write(json.dumps(_as_row(record)) + "\n")
        types = {name: _duckdb_type(type_) for name, type_ in self.columns}
        types |= dict.fromkeys(self.keys, "VARCHAR")
        read = ", ".join(f"'{name}': '{type_}'" for name, type_ in types.items())
        self._tables = duckdb.connect()
        self._tables.execute("CREATE SCHEMA security")
        self._tables.execute(
            "CREATE MACRO json_extract_scalar(text, path) AS json_extract_string(text, path)"
        )
        self._tables.execute(
            f"CREATE TABLE security.trail AS SELECT * FROM read_json('{rows}',"
            f" format = 'newline_delimited', columns = {{{read}}})"
        )

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        action = asked.headers.get("x-amz-target", "").rpartition(".")[2]
        try:
            caller(self._world, asked, "athena")
            if self.refused:
                raise RefusedError(*self.refused, 400)
            with self._lock:
                return as_json(getattr(self, f"_{action}")(asked.json))
        except RefusedError as error:
            return as_json({"__type": error.code, "message": error.message}, error.status)

    def _GetWorkGroup(self, asked: Any) -> Any:  # noqa: N802 - as AWS calls it
        if asked["WorkGroup"] != "security":
            raise RefusedError("InvalidRequestException", "WorkGroup is not found.", 400)
        limits = {"BytesScannedCutoffPerQuery": self.cutoff} if self.cutoff else {}
        return {"WorkGroup": {"Name": "security", "State": "ENABLED", "Configuration": limits}}

    def _GetTableMetadata(self, asked: Any) -> Any:  # noqa: N802
        if (asked["DatabaseName"], asked["TableName"]) != ("security", "trail"):
            raise RefusedError("MetadataException", "Table not found: no such table", 400)
        return {
            "TableMetadata": {
                "Name": "trail",
                "Columns": [{"Name": name, "Type": type_} for name, type_ in self.columns],
                "PartitionKeys": [{"Name": name, "Type": "string"} for name in self.keys],
                "Parameters": self.parameters,
            }
        }

    def _StartQueryExecution(self, asked: Any) -> Any:  # noqa: N802
        self.queries.append(asked["QueryString"])
        name = f"00000000-0000-4000-8000-{len(self.queries):012d}"
        self._found[name] = asked["QueryString"], self.polls
        return {"QueryExecutionId": name}

    def _GetQueryExecution(self, asked: Any) -> Any:  # noqa: N802
        name = asked["QueryExecutionId"]
        sql, polls = self._found[name]
        self._found[name] = sql, polls - 1
        state, reason = ("RUNNING", "") if polls > 0 else self.ending
        status = {"State": state, "StateChangeReason": reason}
        statistics = {"DataScannedInBytes": self.scan}
        return {"QueryExecution": {"Status": status, "Statistics": statistics}}

    def _StopQueryExecution(self, asked: Any) -> Any:  # noqa: N802
        self.stopped.append(asked["QueryExecutionId"])
        return {}

    def _GetQueryResults(self, asked: Any) -> Any:  # noqa: N802
        rows = self._rows(asked["QueryExecutionId"])
        start = int(asked.get("NextToken") or 0)
        data = [
            {"Data": [{} if cell is None else {"VarCharValue": str(cell)} for cell in row]}
            for row in rows[start : start + PAGE_ROWS]
        ]
        more = {"NextToken": str(start + PAGE_ROWS)} if start + PAGE_ROWS < len(rows) else {}
        return {"ResultSet": {"Rows": data}} | more

    def _rows(self, name: str) -> list[list[Any]]:
        """A query's rows below their header, of one run: another may order them otherwise."""
        if name not in self._results:
            done = self._tables.execute(self._found[name][0])
            header = [column[0] for column in done.description]
            self._results[name] = [header, *map(list, done.fetchall())]
        return self._results[name]


@cache
def columns() -> tuple[tuple[str, str], ...]:
    """The columns that our own DDL makes, with their types as Glue tells them."""
    body = ddl([], []).partition("(\n")[2].partition("\n)\n")[0]
    flat = re.sub(r"\s+", " ", body).lower()
    found, depth, start = [], 0, 0
    for place, letter in enumerate([*flat, ","]):
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            name, _, type_ = flat[start:place].strip().partition(" ")
            found.append((name, type_.replace(" ", "")))
            start = place + 1
    return tuple(found)


def _duckdb_type(hive: str) -> str:
    if hive.startswith("array"):
        return "VARCHAR"
    text = hive.replace("map<string,string>", "VARCHAR").replace("string", "VARCHAR")
    text = re.sub(r"([a-z0-9_]+):", r'"\1" ', text)
    return text.replace("struct<", "STRUCT(").replace(">", ")")


def _lower(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.lower(): _lower(held) for key, held in value.items()}
    return value


def _as_row(record: dict[str, Any]) -> dict[str, Any]:
    texts = ("requestParameters", "responseElements", "additionalEventData", "resources")
    row = {
        key.lower(): json.dumps(value) if key in texts and value is not None else _lower(value)
        for key, value in record.items()
    }
    return row | {
        "account": record["recipientAccountId"],
        "region": record["awsRegion"],
        "timestamp": record["eventTime"][:10].replace("-", "/"),
    }
