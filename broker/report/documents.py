"""CloudTrail's documents as rows of the table `read`: DuckDB decodes them, many at once.

This is the quick way, for files as AWS writes them. A row whose document is not quite so is not
`fine`; the document's rows are taken out again, and `reading` reads it and says what is odd. DuckDB
is told texts and opens no file; it is laxer than Python's decoder where nothing is lost by it (a
comma before a closing bracket, depth of a value that is not looked at), and takes the first of two
equal keys, where Python takes the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from broker.report.reading import COLUMNS, FIELDS, MAX_TEXT

TABLE = (
    f"CREATE TABLE read ({', '.join(f'{name} VARCHAR' for name in FIELDS)},"
    " document INTEGER, fine BOOLEAN)"
)


def add(cursor: Any, documents: Mapping[int, str], since: str, until: str) -> set[int]:
    """Add the events of a window, and every row that is not fine.

    Args:
        cursor: Of DuckDB, for this thread alone.
        documents: Number and text of whole files.
        since: UTC, as CloudTrail writes it.
        until: The same.

    Returns:
        Numbers of the documents that cannot be decoded, of which nothing is added.
    """
    import duckdb

    if not documents:
        return set()
    numbers = list(documents)
    try:
        cursor.execute(_INSERTED, [list(documents.values()), numbers, since, until])
    except duckdb.Error:  # one is no JSON, or more than memory holds; the others are sought out
        if len(numbers) == 1:
            return {*numbers}
        half = len(numbers) // 2
        parts = numbers[:half], numbers[half:]
        return {
            number
            for part in parts
            for number in add(cursor, {one: documents[one] for one in part}, since, until)
        }
    return set()


def take_out_odd(cursor: Any) -> set[int]:
    """Remove the rows of each document that has one that is not fine; the documents' numbers."""
    odd = {
        number
        for (number,) in cursor.execute(
            "SELECT DISTINCT document FROM read WHERE NOT fine"
        ).fetchall()
    }
    if odd:
        cursor.execute(
            "DELETE FROM read WHERE document IN (SELECT unnest(?::INTEGER[]))", [sorted(odd)]
        )
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


def _inserted() -> str:
    """One row for each record: the values, its document's number, whether all is `fine`.

    Values stay as JSON has them until they are looked at. `"a""b"` is a row of two texts without an
    escape; of no other values and no others' sum is that the form.
    """
    shape = _shape(COLUMNS.values())
    objects: Mapping[str, Any] = {key: held for key, held in shape.items() if held != "JSON"}
    records = json.dumps({"Records": [dict.fromkeys(shape, "JSON")]})
    decoded = [f"from_json(record.{key}, '{json.dumps(objects[key])}') AS {key}" for key in objects]
    values = [f"{_within(COLUMNS[name])}::VARCHAR AS {name}" for name in FIELDS]
    texts = [f"nullif({name}[2:-2], '') AS {name}" for name in FIELDS]
    whole = f"concat({', '.join(FIELDS)})"
    sound = [
        "event_time IS NOT NULL",
        f"length({whole}) <= {MAX_TEXT}",
        f"""regexp_full_match({whole}, '("[^"\\\\]*")*')""",
        *(f"coalesce(starts_with(record.{key}::VARCHAR, '{{'), true)" for key in objects),
    ]
    return (
        "INSERT INTO read WITH documents AS"
        " (SELECT unnest(?::VARCHAR[]) AS text, unnest(?::INTEGER[]) AS document),"
        " records AS (SELECT document, unnest(coalesce("
        f"from_json(text, '{records}').Records, [NULL])) AS record FROM documents),"
        f" objects AS (SELECT document, record, {', '.join(decoded)} FROM records),"
        f" flat AS (SELECT document, record, {', '.join(values)} FROM objects),"
        f" texts AS (SELECT {', '.join(texts)}, document, {' AND '.join(sound)} AS fine FROM flat)"
        " SELECT * FROM texts WHERE NOT fine OR event_time BETWEEN ? AND ?"
    )


def _within(path: Sequence[str]) -> str:
    return ".".join(path if len(path) > 1 else ("record", *path))


_INSERTED = _inserted()
_ROWS = (
    f"INSERT INTO read SELECT {', '.join(f'row[{n + 1}]' for n in range(len(FIELDS)))}, NULL, true"
    " FROM (SELECT unnest(from_json(?, '[[\"VARCHAR\"]]')) AS row)"
)
