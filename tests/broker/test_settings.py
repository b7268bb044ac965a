"""The person's own settings: what is taken, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.settings import IDLE, settings


@pytest.mark.parametrize(
    ("text", "agent", "idle"),
    [
        ("", True, IDLE),
        ("# agent: off\n", True, IDLE),
        ("agent: off\n", False, IDLE),
        ('agent: "off"\nagent_idle: 90s\n', False, 90),
        ("agent: auto\nagent_idle: 2h\n", True, 7200),
    ],
)
def test_what_a_person_has_chosen(tmp_path: Path, text: str, agent: bool, idle: float) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    found = settings({"AWSLOGIN_HOME": str(tmp_path)})
    assert (found.agent, found.agent_idle) == (agent, idle)


@pytest.mark.parametrize(
    "text",
    ["agnet: off", "agent: on", "agent:", "agent: [off]", "agent_idle: 0", "agent_idle: [1]",
     "agent_idle: soon", "agent_life: 0", "agent_confirm: =prod", "agent_confirm:", "- agent",
     "off", "agent: auto\nagent: off", "agent: off\nagent: off"],
)  # fmt: skip
def test_what_is_wrong_is_never_taken_for_the_default(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"settings\.yaml"):
        settings({"AWSLOGIN_HOME": str(tmp_path)})
