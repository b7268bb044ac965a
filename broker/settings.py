"""The person's own settings, `settings.yaml` beside their `config.yaml`. Not the team's YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.paths import config_dir, read_own_or_none

FILE_NAME = "settings.yaml"
IDLE = 3600.0
LIFE = 8 * 3600.0


@dataclass(frozen=True)
class Settings:
    """What a person has chosen on this machine.

    Attributes:
        agent: Whether there may be an agent: `agent: auto` or `off`.
        agent_idle: Seconds after which it ends when nobody asks: `agent_idle: 1h`.
        agent_life: Seconds after which it ends, whoever asks: `agent_life: 8h`.
        agent_confirm: A tag, `tier` or `tier=prod`: sessions of profiles that bear it are not held
            by the agent, and are handed out to those alone whom the person allows it.
        demand_trust: `always` asks for trust in the file of AWSLOGIN_CONFIG too; `found` in one
            that was found by walking up alone.
        sign_in_without_terminal: `browser` opens a browser for a caller without a terminal.
        events: Whether sign-ins are written down: `events: off` for none.
        events_days: How long they are kept.
    """

    agent: bool = True
    agent_idle: float = IDLE
    agent_life: float = LIFE
    agent_confirm: str = ""
    demand_trust: str = "found"
    sign_in_without_terminal: str = "never"
    events: bool = True
    events_days: int = 90

    def confirms(self, tags: Mapping[str, str]) -> bool:
        """Whether the person is asked before the session of a profile with these tags is given."""
        key, equals, value = self.agent_confirm.partition("=")
        return key in tags and (not equals or tags[key] == value)


def path(environ: Mapping[str, str]) -> Path:
    """Where they lie."""
    return config_dir(environ) / FILE_NAME


def settings(environ: Mapping[str, str]) -> Settings:
    """The settings, or the defaults where there is no file.

    Raises:
        ConfigError: The file is wrong.
    """
    file = path(environ)
    content = read_own_or_none(file)
    if content is None:
        return Settings()
    from broker.config.document import parse

    if not any(line.partition(b"#")[0].strip() for line in content.splitlines()):
        return Settings()
    document = parse(content, str(file))
    for problem in document.problems:  # a key that stands twice: nobody knows which one counts
        raise problem
    known = ", ".join(READERS)
    if not isinstance(document.data, dict):
        raise document.error((), "settings are lines of `key: value`", hint=known)
    chosen: dict[str, Any] = {}
    for key in document.data:
        if key not in READERS:
            raise document.error((key,), f"unknown key `{key}`", hint=known)
        try:
            chosen[key] = READERS[key](document.raw.get((key,), ""))
        except ValueError as error:
            raise document.error((key,), f"`{key}` {error}") from None
    return Settings(**chosen)


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"is {' or '.join(choices)}")
        return text

    return read


def _agent(text: str) -> bool:
    return _one_of("auto", "off")(text) == "auto"


def _seconds(text: str) -> float:
    from broker.durations import parse_duration

    seconds = parse_duration(text)
    if not seconds:
        raise ValueError("is at least 1s")
    return float(seconds)


def _switch(text: str) -> bool:
    return _one_of("on", "true", "off", "false")(text) in {"on", "true"}


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 3650:
        raise ValueError("is a number of days, 1 to 3650")
    return int(text)


def _tag(text: str) -> str:
    if not text.partition("=")[0]:
        raise ValueError("is a tag of your profiles: `tier`, or `tier=prod`")
    return text


READERS: Mapping[str, Callable[[str], Any]] = {
    "agent": _agent,
    "agent_idle": _seconds,
    "agent_life": _seconds,
    "agent_confirm": _tag,
    "events": _switch,
    "events_days": _days,
    "demand_trust": _one_of("found", "always"),
    "sign_in_without_terminal": _one_of("never", "browser"),
}
"""Key → what reads its text as it stands in the file; a ValueError says what it should be."""
