"""Every config in the documentation of SAML loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from broker.config import load
from providers.saml.kinds import KINDS

PAGE = Path(__file__).parents[3] / "docs/providers/saml.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_config_of_the_docs(block: str, tmp_path: Path) -> None:
    file = tmp_path / "awslogin.yaml"
    file.write_text(block)
    config = load(str(file), {"USER": "ann"}, tmp_path)
    assert config.problems == []
    assert [config.profile(name).name for name in config.names]


def test_every_kind_that_reads_pages_is_described() -> None:
    text = PAGE.read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in text and f"{kind}.md" not in text] == []
