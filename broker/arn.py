"""What an ARN tells: partition, region of its partition, account. Pure."""

from __future__ import annotations

import re

DEFAULT_REGION = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
}
"""Of each partition, where nothing names a region."""


def partition_of(region: str, arn: str | None = None) -> str:
    """The partition: an ARN says it, else the region does (`aws`, `aws-cn`, `aws-us-gov`, …)."""
    if arn and re.match(r"arn:[a-z-]+:", arn):
        return arn.split(":")[1]
    for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("eusc-", "aws-eusc")):
        if region.startswith(prefix):
            return partition
    return "aws"


def region_for(arn: str | None, region: str = DEFAULT_REGION["aws"]) -> str:
    """The region, unless the ARN lies in another partition: then a region of that one."""
    partition = partition_of(region, arn)
    return region if partition == partition_of(region) else DEFAULT_REGION.get(partition, region)


def account_of(arn: str | None) -> str | None:
    """The account id in an ARN."""
    parts = (arn or "").split(":")
    return parts[4] if len(parts) > 5 and re.fullmatch(r"\d{12}", parts[4], re.ASCII) else None
