"""What an ARN tells: partition, region of its partition, account. Pure."""

from __future__ import annotations

import re

from broker.regions import first_region, partition_of_region


def partition_of(region: str, arn: str | None = None) -> str:
    """The partition: an ARN says it, else the region does (`aws`, `aws-cn`, `aws-us-gov`, …)."""
    if arn and re.match(r"arn:[a-z-]+:", arn):
        return arn.split(":")[1]
    return partition_of_region(region)


def region_for(arn: str | None, region: str = "us-east-1") -> str:
    """The region, unless the ARN lies in another partition: then a region of that one."""
    partition = partition_of(region, arn)
    return region if partition == partition_of(region) else first_region(partition) or region


def account_of(arn: str | None) -> str | None:
    """The account id in an ARN."""
    parts = (arn or "").split(":")
    return parts[4] if len(parts) > 5 and re.fullmatch(r"\d{12}", parts[4], re.ASCII) else None
