"""The records of a CloudTrail file, as far as it is whole, in bounded memory.

Source: CloudTrail User Guide, "CloudTrail record contents": a file is `{"Records": […]}` on one
line, packed by gzip.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

WHOLE_BYTES = 16 << 20
"""Unpacked; a file up to that is decoded at once. CloudTrail's own are some megabytes."""
CHUNK_BYTES = 1 << 18
GZIP = b"\x1f\x8b"
"""What a packed file begins with (RFC 1952, 2.3.1)."""
MAX_RECORD = 4 << 20
"""Characters of one record; CloudTrail's own bound is 256 KB."""
TOO_SHORT = "the file ends too early"
_RECORDS = re.compile(r'"Records"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")


class BrokenFileError(ValueError):
    """A file is no CloudTrail file, or breaks off."""


def whole_content(file: Path) -> bytes | None:
    """All of a file, unpacked, or None where it is large, or not one whole piece.

    Raises:
        OSError: It cannot be read.
    """
    from isal import isal_zlib

    broken: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub has an instance
    try:
        with _opened(file) as raw:
            content = raw.read(WHOLE_BYTES + 1)
        if content.startswith(GZIP) and len(content) <= WHOLE_BYTES:
            packer = isal_zlib.decompressobj(wbits=31)
            content = packer.decompress(content, WHOLE_BYTES + 1)
            if not packer.eof or packer.unused_data:
                return None
    except (BrokenFileError, broken):
        return None
    return content if len(content) <= WHOLE_BYTES else None


def records(file: Path) -> Iterator[Any]:
    """The records, one after another; those before a break too.

    Raises:
        BrokenFileError: It is no CloudTrail file, or not whole; after the whole records.
        OSError: It cannot be read.
    """
    with _opened(file) as raw:
        found = _at_once(raw)
        if found is None:
            raw.seek(0)
            yield from _one_by_one(raw)
        else:
            yield from found


def _opened(file: Path) -> IO[bytes]:
    """A regular file; what is none, such as a pipe, would be waited for without end."""

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))

    raw = open(file, "rb", opener=opener)  # noqa: SIM115 - the caller closes it
    if stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return raw
    raw.close()
    raise BrokenFileError("no regular file")


def _at_once(raw: IO[bytes]) -> list[Any] | None:
    """All records, or None where the file is large or something is wrong with it."""
    try:
        content = _whole(raw)
        found = None if content is None else json.loads(content)["Records"]
    except (BrokenFileError, ValueError, RecursionError, KeyError, TypeError):
        return None
    return found if isinstance(found, list) else None


def _whole(raw: IO[bytes]) -> bytearray | None:
    """All bytes, unpacked, or None where there are more than `WHOLE_BYTES`."""
    content = bytearray()
    for chunk in _unpacked(raw):
        content += chunk
        if len(content) > WHOLE_BYTES:
            return None
    return content


def _unpacked(raw: IO[bytes]) -> Iterator[bytes]:
    """The bytes, unpacked where gzip has packed them."""
    chunk = raw.read(CHUNK_BYTES)
    if not chunk.startswith(GZIP):
        while chunk:
            yield chunk
            chunk = raw.read(CHUNK_BYTES)
        return
    packer = zlib.decompressobj(wbits=31)
    try:
        while chunk:
            yield packer.decompress(chunk, CHUNK_BYTES << 4)
            chunk = packer.unconsumed_tail or packer.unused_data + raw.read(CHUNK_BYTES)
            if packer.eof and chunk:
                packer = zlib.decompressobj(wbits=31)  # one more member
    except zlib.error:
        raise BrokenFileError("the gzip data are broken") from None
    if not packer.eof:
        raise BrokenFileError("the gzip data end too early")


class _Window:
    """Text of a file, of which no more is held than one record needs."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._chunks = _unpacked(raw)
        self._decode = codecs.getincrementaldecoder("utf-8")()
        self.text = ""
        self.fault = TOO_SHORT

    def more(self, start: int) -> bool:
        """Forget what is before `start` and double what is held; False at the end."""
        parts = [self.text[start:]]
        wanted = max(len(parts[0]), CHUNK_BYTES)
        try:
            while wanted > 0:
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                parts.append(self._decode.decode(chunk))
                wanted -= len(chunk) or 1
        except BrokenFileError as error:
            self.fault = str(error)
        except UnicodeDecodeError:
            self.fault = "it is not UTF-8"
        grown = any(parts[1:])
        self.text = "".join(parts)
        return grown


def _one_by_one(raw: IO[bytes]) -> Iterator[Any]:
    window = _Window(raw)
    window.more(0)
    begin = _RECORDS.search(window.text)
    if begin is None:
        foreign = "no CloudTrail file: it has no list of Records"
        raise BrokenFileError(foreign if window.fault == TOO_SHORT else window.fault)
    place, count = begin.end(), 0
    decoder = json.JSONDecoder()
    while True:
        place = _skipped(window, place)
        if window.text[place] == "]":
            while window.more(len(window.text)):
                pass
            if window.fault != TOO_SHORT:
                raise BrokenFileError(f"{window.fault}, behind the list of Records")
            return
        try:
            record, place = decoder.raw_decode(window.text, place)
        except (ValueError, RecursionError) as error:
            held = len(window.text) - place
            if isinstance(error, RecursionError) or held > MAX_RECORD:
                why = "nested too deep" if held <= MAX_RECORD else "longer than 4 MiB, or no JSON"
                raise BrokenFileError(f"record {count}: it is {why}") from None
            if not window.more(place):
                why = "it is not whole JSON" if window.fault == TOO_SHORT else window.fault
                raise BrokenFileError(f"record {count}: {why}") from None
            place = 0
            continue
        yield record
        count += 1


def _skipped(window: _Window, place: int) -> int:
    """Where the next record begins, or the list ends.

    Raises:
        BrokenFileError: The file ends before.
    """
    while True:
        between = _BETWEEN.match(window.text, place)
        place = between.end() if between else place
        if place < len(window.text):
            return place
        if not window.more(place):
            raise BrokenFileError(f"{window.fault}, within the list of Records")
        place = 0
