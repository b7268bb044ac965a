"""How a request to AWS is sent: bounded in time and size, at AWS's own pace."""

from __future__ import annotations

import threading
import time
from io import BytesIO
from typing import Any

from broker.ports.deadline import TimeIsUpError, within
from broker.ports.steps import traced

TRIES = 3
DEADLINE = 20.0
"""Seconds for one reply, all its bytes."""
DEADLINE_IN_ALL = 28.0
"""Seconds for a request with its repetitions."""
XML = {"query", "rest-xml"}
MAX_REPLY_BYTES = 4 << 20
LONGEST_PAUSE = 5.0
"""Seconds that are waited at most where AWS asks for a pause."""


class Sender:
    """Sends a client's requests: replies are bounded in time and size, pauses asked for are kept.

    botocore has no limit for a whole reply, and its retries do not read `Retry-After`.

    Args:
        client: The botocore client.
        once: It repeats nothing.
        places: How many places may have to be asked in one command, which share its time.
    """

    def __init__(self, client: Any, *, once: bool, places: int = 1) -> None:
        self._deadline, self._in_all = DEADLINE / places, DEADLINE_IN_ALL / places
        self._send = client._endpoint.http_session.send  # noqa: SLF001 - botocore's own way is this
        self._body_starts = b"<" if client.meta.service_model.protocol in XML else b"{"
        self._tries = 1 if once else TRIES
        self._until = threading.local()

    def __call__(self, request: Any, event_name: str = "", **_: Any) -> Any:
        """The reply to one request; botocore calls this in its own sending's place."""
        from botocore.exceptions import HTTPClientError, ReadTimeoutError

        tries = str(request.headers.get("amz-sdk-request"))
        if "attempt=1;" in tries or not hasattr(self._until, "at"):
            self._until.at = time.monotonic() + self._in_all
        left = min(self._until.at - time.monotonic(), self._deadline)
        if left <= 0:  # no time for one more try: do not begin it
            raise ReadTimeoutError(endpoint_url=request.url, error="time is up")
        try:
            reply = traced(
                event_name.removeprefix("before-send."),
                request.url,
                lambda: within(left, lambda: self._bounded(request)),
                lambda reply: reply.status_code,
            )
        except TimeIsUpError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        if reply.status_code == 429 or reply.status_code >= 500:
            if f"attempt={self._tries};" not in tries:
                time.sleep(_pause(reply.headers.get("Retry-After", "")))
            a_page = not reply.content.lstrip().startswith(self._body_starts)
            throttled = reply.status_code == 429 and self._body_starts == b"{"
            if a_page and not throttled:  # a JSON service's 429 is known by its status alone
                raise HTTPClientError(error="", status=reply.status_code)
        return reply

    def _bounded(self, request: Any) -> Any:
        """The reply with all its bytes, unless they are more than AWS sends.

        Raises:
            ResponseParserError: They are.
        """
        from botocore.exceptions import (
            ConnectionClosedError,
            ProxyConnectionError,
            ReadTimeoutError,
        )
        from botocore.parsers import ResponseParserError
        from urllib3.exceptions import ProtocolError
        from urllib3.exceptions import ReadTimeoutError as Silent

        request.stream_output = True  # else botocore reads whatever comes
        try:
            reply = self._send(request)
        except ProxyConnectionError as error:
            error.kwargs["endpoint_url"] = request.url  # for who reads the error
            raise
        content = bytearray()
        try:
            for part in reply.raw.stream(1 << 16):
                content += part
                if len(content) > MAX_REPLY_BYTES:
                    raise ResponseParserError(f"more than {MAX_REPLY_BYTES} bytes")
        except Silent as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except ProtocolError as error:
            raise ConnectionClosedError(
                endpoint_url=request.url, request=request, error=error
            ) from error
        finally:
            if len(content) > MAX_REPLY_BYTES:
                reply.raw.close()
        reply._content = bytes(content)  # noqa: SLF001 - where botocore keeps what it has read
        reply.raw = BytesIO(content)  # what a streamed body, such as S3's, is read from
        return reply


def _pause(retry_after: str) -> float:
    """Seconds to wait before one more try; longer ones are not worth a person's time."""
    return min(float(retry_after), LONGEST_PAUSE) if retry_after.isdecimal() else 0.0
