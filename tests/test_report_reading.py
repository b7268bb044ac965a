"""CloudTrail's files: what is whole is read, what is broken is named, in bounded memory."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from broker.errors import UsageError
from broker.report import reading
from broker.report.making import Making
from tests import organization


def read(file: Path) -> tuple[int, list[str]]:
    rows: list[Any] = []
    outcome = reading.read([(str(file), file.name)], "2000", "2100", rows.append)
    return len(rows), outcome.warnings


def document(count: int, **changed: Any) -> bytes:
    return json.dumps({"Records": [organization.event(**changed) for _ in range(count)]}).encode()


@pytest.mark.parametrize(
    ("content", "found", "words"),
    [
        (document(3), 3, ""),
        (gzip.compress(document(3)), 3, ""),
        (gzip.compress(document(2)[:-2]) + gzip.compress(b"]}"), 2, ""),
        (b'{"Records": []}', 0, ""),
        (document(3)[:-100], 2, "record 2: it is not whole JSON"),
        (gzip.compress(document(3))[:-9], 3, "the gzip data end too early"),
        (gzip.compress(document(3))[:-40], 2, "record 2: the gzip data end too early"),
        (document(2)[:-2] + b", {]}", 2, "record 2: it is not whole JSON"),
        (document(2)[:-2], 2, "within the list of Records"),
        (b'{"Records": [' + b"[" * 200_000, 0, "record 0: it is nested too deep"),
        (b"\xff\xfe{", 0, "not UTF-8"),
        (b"", 0, "no CloudTrail file"),
        (b"[1, 2]", 0, "no CloudTrail file"),
        (b'{"Events": []}', 0, "no CloudTrail file"),
        (b"\x1f\x8bno gzip", 0, "gzip data are broken"),
        (document(1, userIdentity="ann"), 1, "record 0: userIdentity is no object"),
        (document(1, eventTime=7), 0, "record 0 has no eventTime"),
        (document(1, eventName=["x"]), 1, "record 0: eventName is no text"),
        (document(1, eventName="'; DROP TABLE read; --\0\n\"x"), 1, ""),
        (b'{"Records": [7]}', 0, "record 0 is no object"),
    ],
)
def test_a_file(tmp_path: Path, content: bytes, found: int, words: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    rows, warnings = read(file)
    assert rows == found
    assert [words in warning for warning in warnings] == ([True] if words else [])


def test_a_line_of_10_gb_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "long.json"
    with file.open("wb") as stream:
        stream.write(document(2)[:-2] + b', {"eventName": "')
        stream.truncate(10 << 30)  # sparse
    tracemalloc.start()
    rows, warnings = read(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 2
    assert len(warnings) == 1
    assert most < 100 << 20


def test_a_large_file_is_read_record_by_record(tmp_path: Path) -> None:
    file = tmp_path / "large.json.gz"
    text = document(1)[13:-2]
    with gzip.open(file, "wb", compresslevel=1) as stream:
        stream.write(b'{"Records": [' + text)
        for _ in range(30):
            stream.write((b", " + text) * 1000)
        stream.write(b"]}")
    tracemalloc.start()
    outcome = reading.read([(str(file), "x")], "2100", "2101", lambda row: pytest.fail(str(row)))
    assert outcome.warnings == []
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 80 << 20


def test_without_duckdb_the_install_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    making = Making(None, {"AWSLOGIN_HOME": str(tmp_path), "HOME": str(tmp_path)}, now, 90)
    making.machine()
    with pytest.raises(UsageError) as refused:
        making.cloudtrail([str(tmp_path)], lambda *_: pytest.fail("no bucket is asked for"))
    assert refused.value.exit_code == 2
    assert "awslogin[report]" in refused.value.hint
    assert making.report().sources[0].kind == "machine"


def test_a_slow_query_draws_no_bar_on_stdout(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from broker.report.finding import Source;"
        "from broker.report.trail import Trail\n"
        "with Trail(Source('cloudtrail', ''), Path(sys.argv[1]), '', '') as trail:\n"
        "    print(trail.rows(\"SELECT current_setting('enable_progress_bar') AS bar\"))"
    )  # by `-c`, as an editable install starts: DuckDB takes that for a person at a prompt
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[{'bar': False}]\n"
