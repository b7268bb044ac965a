"""IAM's lists, page by page. Source: IAM API Reference, `IsTruncated` and `Marker`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from broker.errors import UnexpectedReply

MAX_PAGES = 1000


def pages(call: Callable[..., Mapping[str, Any]], **asked: Any) -> Iterator[Mapping[str, Any]]:
    """Every page of a list that IAM cuts at 100 entries, or where it likes.

    Args:
        call: The client's method.
        **asked: Its arguments.

    Raises:
        UnexpectedReply: It does not come to an end.
    """
    marker: dict[str, Any] = {}
    for _ in range(MAX_PAGES):
        page = call(**asked, **marker)
        yield page
        following = {"Marker": page.get("Marker")}
        if not page.get("IsTruncated") or not following["Marker"]:
            return
        if following == marker:
            break
        marker = following
    raise UnexpectedReply("IAM's list does not come to an end")
