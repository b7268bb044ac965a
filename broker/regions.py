"""AWS's regions and partitions, by the data that botocore brings; nothing of it is imported."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from broker.nearest import did_you_mean

REGION = r"[a-z]{2,}(-[a-z]+)+-[0-9]+"
"""The form of a region's name."""

_PREFERRED = {"aws-cn": "cn-north-1"}
"""Where a partition's first region is another one than botocore's."""


@cache
def partition_of_region(region: str) -> str:
    """`aws`, `aws-cn`, `aws-us-gov`, `aws-iso`, …; `aws` for a region that nobody knows."""
    partitions = _partitions()
    for partition in partitions:
        if region in partition["regions"]:
            return str(partition["id"])
    for partition in partitions:
        if re.match(partition["regionRegex"], region):
            return str(partition["id"])
    return "aws"


def first_region(partition: str) -> str | None:
    """A region of a partition, where nothing names one; None for a partition that nobody knows."""
    for known in _partitions():
        if known["id"] == partition:
            return _PREFERRED.get(partition) or str(known["outputs"]["implicitGlobalRegion"])
    return None


@cache
def flaw_in_region(region: str) -> str | None:
    """Why a name is no region's, with the nearest one, or None.

    A new number, or a new pair of an area and a direction that are known, may be newer than the
    data.
    """
    known = [name for partition in _partitions() for name in partition["regions"]]
    parts = {_split(name) for name in known}
    area, direction = _split(region)
    if area in {a for a, _ in parts} and direction in {d for _, d in parts}:
        return None
    return f"AWS has no region {region}; {did_you_mean(region, known) or 'such as eu-west-1'}"


def _split(region: str) -> tuple[str, str]:
    """`us-gov-west-1` → `us-gov`, `west`."""
    area, _, direction = region.rpartition("-")[0].rpartition("-")
    return area, direction


@cache
def _partitions() -> list[dict[str, Any]]:
    package = find_spec("botocore")
    assert package
    assert package.origin
    data = Path(package.origin).parent / "data" / "partitions.json"
    found: list[dict[str, Any]] = json.loads(data.read_text(encoding="utf-8"))["partitions"]
    return found
