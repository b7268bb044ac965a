"""CloudTrail's documents as lines of text for DuckDB: each process does its part of the files.

`python -m broker.report.documents` is told on stdin, as a JSON object, which files, and says on
stdout, as another, how it went. msgspec decodes the values that are looked at and skips the rest;
a document in which something is not as AWS writes it is read record by record (`reading`), so that
it is named and the rest is read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from broker.private_opener import private_opener
from broker.report import reading
from broker.report.reading import MAX_TEXT, VALUES, Outcome, within_object
from broker.report.records import whole_content

NUL = rb"\u0000"
"""As JSON writes it; to look for the rare backslash first is much faster."""
BATCH_ROWS = 5000
LINES, ROWS = "lines.json", "rows.json"
"""Files that are made: of records, one a line; of odd documents' rows, a list of them a line."""


def write(files: Sequence[tuple[str, str]], since: str, until: str, folder: Path) -> Outcome:
    """Write what files hold: as it is where all is as AWS writes it, the rest within the window.

    Args:
        files: Each file's path, and its name for warnings.
        since: UTC, as CloudTrail writes it.
        until: The same.
        folder: Takes `LINES` and `ROWS`; private.
    """
    outcome = Outcome()
    batch: list[list[Any]] = []
    with ExitStack() as open_files:
        lines, rows = (
            open_files.enter_context(open(folder / name, "wb", opener=private_opener))
            for name in (LINES, ROWS)
        )

        def write_batch() -> None:
            text = json.dumps(batch, ensure_ascii=False)  # a lone surrogate is no text to DuckDB
            rows.write(text.encode("utf-8", "replace") + b"\n")
            batch.clear()

        def add(row: list[Any]) -> None:
            batch.append(row)
            if len(batch) == BATCH_ROWS:
                write_batch()

        for file in files:
            text = _lines(Path(file[0]))
            if text is None:
                outcome.add(reading.read([file], since, until, add))
            else:
                lines.write(text)
                outcome.read += 1
        if batch:
            write_batch()
    return outcome


def _lines(file: Path) -> bytes | None:
    """A line for each record, of the values alone; None where something in the document is odd."""
    import msgspec

    try:
        content = whole_content(file)
        if content is None or (b"\\" in content and NUL in content):
            return None
        if not content.isascii():
            content.decode()
        records = _decoder().decode(content).Records
    except (OSError, UnicodeError, msgspec.MsgspecError, RecursionError):
        return None  # `reading` says what it is
    return msgspec.json.Encoder().encode_lines(records)


@cache
def _decoder() -> Any:
    """Decodes a document into objects that have what is looked at as attributes."""
    import msgspec

    records: Any = list[_object(0)]  # type: ignore[misc]
    return msgspec.json.Decoder(msgspec.defstruct("Document", [("Records", records)]))


def _object(place: int) -> Any:
    """The type of one of `OBJECTS`: its values, none of them too long, and the objects within."""
    import msgspec

    text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
    values = [
        (key, text) if key == "eventTime" else (key, text | None, None) for key in VALUES[place]
    ]
    within = [(key, _object(number) | None, None) for key, number in within_object(place)]
    return msgspec.defstruct(
        "Object", [*values, *within], kw_only=True, omit_defaults=True, gc=False
    )


def _main() -> None:
    asked = json.load(sys.stdin.buffer)
    outcome = write(asked["files"], asked["since"], asked["until"], Path(asked["folder"]))
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    _main()
