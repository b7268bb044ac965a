"""CloudTrail's documents as rows of the table `read`: DuckDB decodes them, many at once.

This is the quick way, for files as AWS writes them. A document in which anything is odd is given
back whole, and `reading` says what it is. DuckDB is told texts and opens no file; it is laxer than
Python's decoder where nothing is lost by it (a comma before a closing bracket, depth of a value
that is not looked at), and takes the first of two equal keys, where Python takes the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from broker.report.reading import COLUMNS, FIELDS, MAX_TEXT

TABLE = f"CREATE TABLE read ({', '.join(f'{name} VARCHAR' for name in FIELDS)})"


def add(cursor: Any, documents: Sequence[str], since: str, until: str) -> set[int]:
    """Add the events of a window; of an odd document nothing.

    Args:
        cursor: Of DuckDB, for this thread alone.
        documents: Texts of whole files.
        since: UTC, as CloudTrail writes it.
        until: The same.

    Returns:
        Places of the odd documents.
    """
    import duckdb

    try:
        cursor.execute(_DECODED, [list(documents), list(range(len(documents)))])
    except duckdb.Error:  # one is no JSON, or more than memory holds; the others are sought out
        if len(documents) < 2:
            return {0}
        half = len(documents) // 2
        later = add(cursor, documents[half:], since, until)
        return add(cursor, documents[:half], since, until) | {half + place for place in later}
    odd = {place for (place,) in cursor.execute(_ODD).fetchall()}
    odd |= {place for place, text in enumerate(documents) if text.count('"Records"') != 1}
    cursor.execute(_INSERTED, [sorted(odd), since, until])
    return odd


def add_rows(cursor: Any, rows: Iterable[Sequence[str | None]]) -> None:
    """Add rows of values in the order of `FIELDS`."""
    text = json.dumps(list(rows), ensure_ascii=False)  # a lone surrogate is no text to DuckDB
    cursor.execute(_ROWS, [text.encode("utf-8", "replace").decode()])


def _shape(paths: Iterable[Sequence[str]]) -> dict[str, Any]:
    """The objects that hold these values, as `from_json` is told; `JSON` is a value as written."""
    shape: dict[str, Any] = {}
    for first, *rest in paths:
        if rest:
            shape.setdefault(first, []).append(rest)
        else:
            shape[first] = "JSON"
    return {
        key: _shape(value) if isinstance(value, list) else value for key, value in shape.items()
    }


def _decoded() -> str:
    """One row for each record: its document's place, the values, whether all is `fine`."""
    shape = _shape(COLUMNS.values())
    objects: Mapping[str, Any] = {key: held for key, held in shape.items() if held != "JSON"}
    records = json.dumps({"Records": [dict.fromkeys(shape, "JSON")]})
    decoded = [f"from_json(record.{key}, '{json.dumps(objects[key])}') AS {key}" for key in objects]
    values = [f"{_within(COLUMNS[name])}::VARCHAR AS {name}" for name in FIELDS]
    sound = [f"coalesce((record.{key}::VARCHAR)[1] = '{{', true)" for key in objects]
    sound += [f"coalesce({name}[1] = '\"', true)" for name in FIELDS]
    texts = [f"nullif({name}[2:-2], '') AS {name}" for name in FIELDS]
    whole = f"concat({', '.join(FIELDS)})"
    return (
        "CREATE OR REPLACE TEMP TABLE batch AS WITH documents AS"
        " (SELECT unnest(?::VARCHAR[]) AS text, unnest(?::INTEGER[]) AS place),"
        " records AS (SELECT place, unnest(coalesce("
        f"from_json(text, '{records}').Records, [NULL])) AS record FROM documents),"
        f" objects AS (SELECT place, record, {', '.join(decoded)} FROM records),"
        f" flat AS (SELECT place, record, {', '.join(values)} FROM objects)"
        f" SELECT place, {', '.join(texts)},"
        f" event_time IS NOT NULL AND NOT contains({whole}, '\\') AND length({whole}) <= {MAX_TEXT}"
        f" AND {' AND '.join(sound)} AS fine FROM flat"
    )


def _within(path: Sequence[str]) -> str:
    return ".".join(path if len(path) > 1 else ("record", *path))


_DECODED = _decoded()
_ODD = "SELECT DISTINCT place FROM batch WHERE NOT fine"
_INSERTED = (
    "INSERT INTO read SELECT * EXCLUDE (place, fine) FROM batch"
    " WHERE place NOT IN (SELECT unnest(?::INTEGER[])) AND event_time BETWEEN ? AND ?"
)
_ROWS = (
    f"INSERT INTO read SELECT {', '.join(f'row[{n + 1}]' for n in range(len(FIELDS)))}"
    " FROM (SELECT unnest(from_json(?, '[[\"VARCHAR\"]]')) AS row)"
)
