"""The YAML of the documentation page is good."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from broker.config import load

PAGE = Path(__file__).parents[3] / "docs" / "providers" / "identity-center.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_loads(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    config = load(str(path), {}, tmp_path)
    assert config.problems == []
    assert config.names


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 4
