"""Steers a sandbox from another process: a control port, and `Remote`, its client.

Each call is a POST of one JSON object to `/_control/<verb>`; `about` and `log` take none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from tests.sandbox.server import Answer, Asked, as_json

if TYPE_CHECKING:
    from tests.sandbox import Sandbox

ROOT = Path(__file__).parents[2]


class Control:
    """The port's side."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._verbs: dict[str, Callable[..., Any]] = {
            "about": sandbox.about,
            "log": self._log,
            "fault": sandbox.fault,
            "heal": sandbox.heal,
            "approve": sandbox.approve,
            "deny": sandbox.deny,
            "advance": sandbox.world.advance,
            "code": sandbox.code,
            "assertion": sandbox.assertion,
        }

    def handle(self, asked: Asked) -> Answer:
        """One request."""
        verb = self._verbs.get(asked.path.removeprefix("/_control/"))
        if asked.method != "POST" or verb is None:
            return as_json({"error": f"no such verb; there are {', '.join(self._verbs)}"}, 404)
        try:
            return as_json({"result": verb(**asked.json)})
        except (KeyError, TypeError, ValueError) as error:
            return as_json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _log(self, service: str | None = None, action: str | None = None) -> list[dict[str, Any]]:
        return [
            {
                "service": asked.service,
                "method": asked.method,
                "path": asked.path,
                "action": asked.action,
                "query": asked.query,
                "form": asked.form,
                "headers": asked.headers,
                "at": asked.at,
            }
            for asked in list(self._sandbox.requests)
            if service in {None, asked.service} and action in {None, asked.action, asked.path}
        ]


class Remote:
    """A sandbox in another process. Every method is a verb of `Control`.

    >>> with Remote.started() as remote:  # doctest: +SKIP
    ...     remote.fault(service="sts", status=500, times=2)
    ...     remote.about["env"]
    """

    def __init__(self, about: dict[str, Any]) -> None:
        self.about = about

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """Start `python -m tests.sandbox`, and end it with the block."""
        command = [sys.executable, "-m", "tests.sandbox"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                yield cls(json.loads(process.stdout.readline()))
            finally:
                process.terminate()

    def __getattr__(self, verb: str) -> Any:
        def call(**arguments: Any) -> Any:
            address = f"{self.about['control']}/_control/{verb}"
            reply = requests.post(address, json=arguments, timeout=120).json()
            if "error" in reply:
                raise ValueError(reply["error"])
            return reply["result"]

        return call
