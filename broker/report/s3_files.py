"""CloudTrail's files in a bucket: only the days and regions that are asked for are listed.

Source: CloudTrail User Guide, "Finding your CloudTrail log files": keys are
`PREFIX/AWSLogs/[ORGANIZATION/]ACCOUNT/CloudTrail/REGION/yyyy/MM/dd/FILE.json.gz`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from broker.credentials import Credentials
from broker.errors import AwsLoginError, UsageError
from broker.ports.aws import Aws
from broker.ports.parallel import in_parallel
from broker.private_opener import private_opener
from broker.report.finding import Source

MAX_FILES, MAX_FOLDERS = 200_000, 20_000
MAX_OBJECT_BYTES = 256 << 20
PART_BYTES = 3 << 20
"""Below the bound of one reply."""
BATCH_FILES = 256
AT_ONCE = 16
_OTHERS = re.compile(r"[0-9]{12}/(CloudTrail-(Digest|Insight|Aggregated|NetworkActivity)|Config)/")
_REGION = re.compile(r"/CloudTrail/([a-z]{2}(?:-[a-z0-9]+)+)/$")
_DAY = re.compile(r"/CloudTrail/[a-z0-9-]+/(\d{4})/(?:(\d\d)/(?:(\d\d)/)?)?$")


def is_s3(path: str) -> bool:
    """Whether this names a bucket."""
    return path.startswith("s3://")


class Bucket:
    """A bucket's files below a prefix.

    Args:
        aws: Makes the client.
        credentials: Of a profile's session.
        region: The client's.
        url: `s3://BUCKET/PREFIX`.
        source: Takes the warnings.
        only: Regions that are listed; every one where none is named.

    Raises:
        UsageError: It is no such address.
    """

    def __init__(
        self,
        aws: Aws,
        credentials: Credentials,
        region: str,
        url: str,
        *,
        source: Source,
        only: frozenset[str] = frozenset(),
    ) -> None:
        parts = urlsplit(url)
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", parts.netloc):
            raise UsageError(f"{url}: not s3://BUCKET/PREFIX")
        self._bucket = parts.netloc
        self._prefix = url.removeprefix(f"s3://{self._bucket}").lstrip("/")
        self._client = aws.client("s3", region, credentials)
        self._errors = aws.errors
        self._source = source
        self._only = only

    def keys(self, first: date, last: date) -> list[str]:
        """The files' keys, of those days.

        Raises:
            RoleRefused: The session may not list the bucket.
            UsageError: There is no such bucket.
        """
        found: list[str] = []
        folders = [self._prefix if self._prefix.endswith("/") else f"{self._prefix}/"]
        folders = [""] if folders == ["/"] else folders
        listed = 0
        while folders:
            if listed >= MAX_FOLDERS or len(found) >= MAX_FILES:
                self._source.warnings.append(f"{self._bucket}: more than {len(found)} files: cut")
                break
            batch, folders = folders[:AT_ONCE], folders[AT_ONCE:]
            listed += len(batch)
            for files, below in in_parallel(self._listed, batch, at_once=AT_ONCE):
                found += files
                folders += [
                    folder for folder in below if _is_wanted(folder, first, last, self._only)
                ]
        return sorted(found)[:MAX_FILES]

    @contextmanager
    def fetched(self, keys: list[str], folder: Path) -> Iterator[list[tuple[str, str]]]:
        """These files in a private folder while the block runs, each with its name for people."""

        def fetch(numbered: tuple[int, str]) -> tuple[str, str] | None:
            number, key = numbered
            name = f"s3://{self._bucket}/{key}"
            path = folder / f"object-{number}"
            try:
                self._fetch(key, path)
            except AwsLoginError as error:
                self._source.warnings.append(f"{name}: {error.message}")
                return None
            return str(path), name

        try:
            done = in_parallel(fetch, list(enumerate(keys)), at_once=AT_ONCE)
            yield [file for file in done if file]
        finally:
            for path in folder.glob("object-*"):
                path.unlink()

    def _listed(self, prefix: str) -> tuple[list[str], list[str]]:
        files: list[str] = []
        below: list[str] = []
        more: dict[str, str] = {}
        while True:
            with self._errors(f"ListObjectsV2 s3://{self._bucket}/{prefix}"):
                page: dict[str, Any] = self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=prefix, Delimiter="/", **more
                )
                keys = [str(entry["Key"]) for entry in page.get("Contents") or ()]
                below += [str(entry["Prefix"]) for entry in page.get("CommonPrefixes") or ()]
            files += [key for key in keys if key.endswith((".json", ".json.gz"))]
            if not page.get("IsTruncated") or len(files) >= MAX_FILES:
                return files, below
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _fetch(self, key: str, path: Path) -> None:
        start = 0
        with open(path, "wb", opener=private_opener) as stream:
            while True:
                with self._errors(f"GetObject {key}"):
                    reply = self._client.get_object(
                        Bucket=self._bucket,
                        Key=key,
                        Range=f"bytes={start}-{start + PART_BYTES - 1}",
                    )
                    part = reply["Body"].read()
                    whole = int(str(reply.get("ContentRange") or "").rpartition("/")[2] or 0)
                stream.write(part)
                start += len(part)
                if not part or start >= whole or start >= MAX_OBJECT_BYTES:
                    return


def holds_others(place: str) -> bool:
    """Whether this is the path of what AWS lays beside events: digests, insights, Config."""
    return _OTHERS.search(place.replace(os.sep, "/")) is not None


def _is_wanted(prefix: str, first: date, last: date, regions: frozenset[str]) -> bool:
    """Whether files of those days and regions may lie below."""
    if holds_others(prefix):
        return False
    region = _REGION.search(prefix)
    if region:
        return not regions or region[1] in regions
    found = _DAY.search(prefix)
    if not found:
        return True
    year, month, day = (int(part) if part else 0 for part in found.groups())
    try:
        begins = date(year, month or 1, day or 1)
    except ValueError:
        return True
    length = 1 if day else 31 if month else 366
    return begins <= last and begins + timedelta(days=length) > first
