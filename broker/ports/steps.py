"""What `--verbose` tells on stderr: steps, and requests with their host, status and time.

Owns that no secret is among them: of a request only its method and host are told, never its path,
query, headers or body, and what is told is masked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from broker.secret import masked
from broker.terminal_text import to_stderr

_Reply = TypeVar("_Reply")
_since: list[float] = []
"""When the telling began, in monotonic seconds; empty where nothing is told."""


def tell_steps(*, on: bool) -> None:
    """Whether steps and requests of this process are told from here on."""
    _since[:] = [time.monotonic()] if on else []


def step(what: str) -> None:
    """Tell a step, in words that hold no secret."""
    if _since:
        to_stderr(masked(f"[{time.monotonic() - _since[0]:7.3f} s] {what}"))


def traced(
    what: str, url: str, send: Callable[[], _Reply], status: Callable[[_Reply], int]
) -> _Reply:
    """Send a request; under `--verbose` say on stderr how it ended, and after how long.

    Args:
        what: Its method, or the name of its operation.
        url: Its address, of which the host alone is shown.
        send: Sends it.
        status: The HTTP status of the reply.
    """
    if not _since:
        return send()
    began = time.monotonic()
    outcome = "failed"
    try:
        reply = send()
        outcome = str(status(reply))
    except BaseException as error:
        outcome = f"failed: {type(error).__name__}"
        raise
    else:
        return reply
    finally:
        host = urlsplit(url).netloc.rpartition("@")[2]
        step(f"{what} {host} → {outcome}, {(time.monotonic() - began) * 1000:.0f} ms")
