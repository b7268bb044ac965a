"""One bucket: listing by delimiter, objects by range. Source: S3 API Reference."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from tests.sandbox.server import Answer, Asked
from tests.sandbox.sigv4 import RefusedError, caller
from tests.sandbox.world import World

BUCKET = "trails"
MOST_KEYS = 3


class S3:
    """Knobs: `folder` (what the bucket holds), `refused` (an error's code)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.folder: Path | None = None
        self.refused = ""
        self.listed: list[str] = []

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        try:
            caller(self._world, asked, "s3")
        except RefusedError as error:
            return _error(error.code, error.status)
        bucket, _, key = asked.path.lstrip("/").partition("/")
        if self.refused:
            return _error(self.refused, 503 if self.refused == "SlowDown" else 403)
        if bucket != BUCKET or self.folder is None:
            return _error("NoSuchBucket", 404)
        if not key:
            return self._list(asked.query)
        content = (self.folder / key).read_bytes()
        first, _, last = asked.headers["range"].removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1]
        end = int(first) + len(part) - 1
        return Answer(206, part, {"Content-Range": f"bytes {first}-{end}/{len(content)}"})

    def _list(self, query: dict[str, str]) -> Answer:
        assert self.folder
        prefix = query.get("prefix", "")
        self.listed.append(prefix)
        start = int(query.get("continuation-token") or 0)
        keys = sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file()
        )
        below = [key for key in keys if key.startswith(prefix)]
        folders = {
            prefix + key[len(prefix) :].partition("/")[0] + "/"
            for key in below
            if "/" in key[len(prefix) :]
        }
        files = [key for key in below if "/" not in key[len(prefix) :]]
        entries = [
            f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>"
            for one in sorted(folders)
        ]
        entries += [f"<Contents><Key>{escape(one)}</Key><Size>1</Size></Contents>" for one in files]
        page = entries[start : start + MOST_KEYS]
        more = start + MOST_KEYS < len(entries)
        token = (
            f"<NextContinuationToken>{start + MOST_KEYS}</NextContinuationToken>" if more else ""
        )
        return Answer(
            200,
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            f"{''.join(page)}</ListBucketResult>",
            {"Content-Type": "application/xml"},
        )


def _error(code: str, status: int) -> Answer:
    return Answer(
        status,
        f"<Error><Code>{code}</Code><Message>{code}: said by S3</Message></Error>",
        {"Content-Type": "application/xml"},
    )
