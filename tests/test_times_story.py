"""Times: the machine's own with its zone for people, UTC for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.configs import config
from tests.sandbox import Sandbox
from tests.support import Home


def test_times_are_local_in_text_and_utc_in_json(signed_up: Home, sandbox: Sandbox) -> None:
    signed_up.config(config("dev", sandbox=sandbox))
    signed_up.environ["TZ"] = "Asia/Tokyo"
    signed_up.run("add", "dev", "--stdin", stdin=sandbox.bob.json).ok()
    until = signed_up.run("dev", "--output", "json").ok().json["expires_at"]
    assert signed_up.run("status", "--output", "json").ok().json[0]["expires_at"] == until
    (event,) = map(json.loads, signed_up.run("events", "--output", "json").ok().out.splitlines())
    assert event["at"].endswith("Z")

    for words in (("dev",), ("status",)):
        assert f"{in_tokyo(until)} JST" in signed_up.run(*words).ok().out
    seconds = datetime.fromisoformat(event["at"]).strftime(":%S")
    assert f"{in_tokyo(event['at'])}{seconds} JST" in signed_up.run("events").ok().out


def in_tokyo(text: str) -> str:
    moment = datetime.fromisoformat(text)
    assert moment.utcoffset() == UTC.utcoffset(None)
    return moment.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%d %H:%M")
