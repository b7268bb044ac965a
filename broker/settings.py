"""The person's own settings, `settings.yaml` beside their `config.yaml`. Not the team's YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from broker.paths import config_dir, read_or_none

FILE_NAME = "settings.yaml"
IDLE = 3600.0


class Settings:
    """What a person has chosen on this machine.

    Attributes:
        agent: Whether there may be an agent: `agent: auto` or `off`.
        agent_idle: Seconds after which it ends when nobody asks: `agent_idle: 1h`.
    """

    def __init__(self, *, agent: bool = True, agent_idle: float = IDLE) -> None:
        self.agent = agent
        self.agent_idle = agent_idle


def path(environ: Mapping[str, str]) -> Path:
    """Where they lie."""
    return config_dir(environ) / FILE_NAME


def settings(environ: Mapping[str, str]) -> Settings:
    """The settings, or the defaults where there is no file.

    Raises:
        ConfigError: The file is wrong.
    """
    file = path(environ)
    content = read_or_none(file)
    if content is None:
        return Settings()
    from broker.config.document import parse
    from broker.durations import parse_duration

    if not any(line.partition(b"#")[0].strip() for line in content.splitlines()):
        return Settings()
    document = parse(content, str(file))
    if not isinstance(document.data, dict):
        raise document.error((), "settings are lines of `key: value`", hint="agent, agent_idle")
    given = {key: document.raw.get((key,), "") for key in document.data}
    for key in given:
        if key not in {"agent", "agent_idle"}:
            raise document.error((key,), f"unknown key `{key}`", hint="agent, agent_idle")
    agent = given.get("agent", "auto")  # plain YAML reads `off` as a boolean
    if agent not in {"auto", "off"}:
        raise document.error(("agent",), "`agent` is auto or off")
    try:
        idle = parse_duration(given.get("agent_idle", "1h"))
    except ValueError as error:
        raise document.error(("agent_idle",), f"`agent_idle`: {error}") from None
    if not idle:
        raise document.error(("agent_idle",), "`agent_idle` is at least 1s", hint="`agent: off`")
    return Settings(agent=agent == "auto", agent_idle=float(idle))
