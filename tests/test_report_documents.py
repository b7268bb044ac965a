"""What msgspec decodes is what the reading record by record gives: the same rows and warnings."""

from __future__ import annotations

import gzip
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.report import reading
from broker.report.finding import Source
from broker.report.reading import FIELDS
from broker.report.trail import File, Trail, files_in
from tests import organization

FROM, UNTIL = "2000", "2100"
ODD_VALUES: tuple[Any, ...] = (
    7, 1.50, True, "", "x" * 3000, "a\0b", "\ud800", 'say "hi"', "back\\slash", "é\u2028😀",
    [], [1, {"a": 2}], {}, {"a": {"b": 1}}, "'; DROP TABLE read; --", "null", "{", '"', None,
)  # fmt: skip


def odd_events(chosen: random.Random) -> Iterator[dict[str, Any]]:
    """Each place of a value, and each object around it, holds each odd value once."""
    places = {path[:length] for path in reading.COLUMNS.values() for length in range(1, 5)}
    for path in sorted(places):
        for value in ODD_VALUES:
            one = organization.event(eventID=f"{chosen.getrandbits(64):x}")
            held = one
            for key in path[:-1]:
                held[key] = dict(held.get(key) or {})
                held = held[key]
            held[path[-1]] = value
            yield one


def as_document(events: list[Any]) -> bytes:
    return json.dumps({"Records": events}).encode()


def files(folder: Path) -> None:
    """Good and odd files in turn; an odd one holds good events too."""
    chosen = random.Random(5)
    organization.written(folder, events=3000)
    good = as_document([organization.event() for _ in range(3)])
    odd = [as_document([organization.event(), one]) for one in odd_events(chosen)]
    odd += [
        b"", b"null", b"7", b"[]", b"{}", b'{"Records": 7}', b'{"Records": {"a": 1}}',
        b'{"Records": null}', b'{"Records": []}', b'{"Records": [7, null, "x", [], {}]}',
        b'{"Records": [], "Records": [' + good[13:-2] + b"]}", b'{"records": []}',
        good + good, good + b"\n" + good, good + b" x", good[:-1], good[:-2] + b", {]}",
        b"\xef\xbb\xbf" + good, good.decode().encode("utf-16"), good.replace(b"aws-cli", b"\xff"),
        good.replace(b"aws-cli", b"a\x01"), good.replace(b"aws-cli", b"\xed\xa0\x80"),
        json.dumps(json.loads(good), indent=2).encode(), b"\n" + good + b"\n",
        gzip.compress(good), gzip.compress(good)[:-9], gzip.compress(good)[:-40],
        gzip.compress(good[:50]) + gzip.compress(good[50:]), gzip.compress(good) + b"x",
        gzip.compress(good)[:-8] + b"\0" * 8, b"\x1f\x8bno gzip",
        b'{"Records": [' + b"[" * 2000 + b"]" * 2000 + b"]}",
    ]  # fmt: skip
    for number, content in enumerate(odd):
        end = "json.gz" if content.startswith(b"\x1f\x8b") else "json"
        (folder / f"{number:04}.{end}").write_bytes(content)
    for name in ("star*?.json", "[a-z].json", "it's \"; --.json", "two\nlines.json", "http:x.json"):
        (folder / name).write_bytes(good)
    (folder / "folder.json").mkdir()
    (folder / "gone.json").symlink_to("nowhere")
    (folder / "loop.json").symlink_to("loop.json")
    (folder / "linked.json").symlink_to("0000.json")
    os.mkfifo(folder / "pipe.json")


def rows_of(trail: Trail) -> list[tuple[str | None, ...]]:
    found = trail.rows("SELECT * FROM read")
    return sorted((tuple(row[name] for name in FIELDS) for row in found), key=repr)


def read(asked: list[File], folder: Path) -> tuple[list[tuple[str | None, ...]], Source]:
    source = Source("cloudtrail", "")
    with Trail(source, folder, FROM, UNTIL) as trail:
        trail.read(asked)
        found = rows_of(trail)
        trail.finish()
    return found, source


def one_by_one(asked: list[File]) -> tuple[list[tuple[str | None, ...]], reading.Outcome]:
    rows: list[Any] = []
    outcome = reading.read(asked, FROM, UNTIL, rows.append)
    texts = (
        tuple(value and value.encode("utf-8", "replace").decode() for value in row) for row in rows
    )
    return sorted(texts, key=repr), outcome


def test_both_ways_give_the_same_rows_and_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = tmp_path / "trail"
    files(trail)
    asked = files_in([trail])
    by_processes, _ = read(asked, tmp_path)
    monkeypatch.setattr("broker.report.trail.FILES_ALONE", len(asked))
    monkeypatch.setattr(reading, "MAX_WARNINGS", 10_000)
    rows, source = read(asked, tmp_path)
    expected, outcome = one_by_one(asked)
    assert rows == expected
    assert by_processes == expected
    assert sorted(source.warnings) == sorted(outcome.warnings)
    assert len(source.warnings) > 100


def test_a_process_that_dies_is_told_and_what_it_wrote_whole_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = """\
import json, os, sys
folder = json.load(sys.stdin)["folder"]
open(f"{folder}/rows.json", "w").close()
with open(f"{folder}/lines.json", "w") as lines:
    lines.write('{"eventID": "1", "eventTime": "2020-01-01T00:00:00Z"}\\n{"eventID": "2", "even')
os._exit(3)
"""
    monkeypatch.setattr("broker.isolated.command", lambda _: [sys.executable, "-c", dying])
    monkeypatch.setattr("broker.report.trail.FILES_ALONE", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    rows, source = read([("/nowhere", "/nowhere")], tmp_path)
    assert [row[:2] for row in rows] == [("1", "2020-01-01T00:00:00Z")]
    assert source.warnings == ["a process that reads files has ended with 3: some are not read"]
