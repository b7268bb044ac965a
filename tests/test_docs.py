"""What the pages show is true: their YAML loads, and their commands exist."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from broker.cli.main import COMMANDS
from broker.config import load

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = [
    pytest.param(text, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL))
    if "profiles:" in text
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_yaml_of_a_page_loads(text: str, tmp_path: Path) -> None:
    path = tmp_path / "awslogin.yaml"
    path.write_text(textwrap.dedent(text))
    config = load(str(path), {"USER": "ann", "AWS_OIDC_TOKEN": "x"}, tmp_path)
    assert config.problems == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_exist(page: Path) -> None:
    shown = re.findall(r"^ {4}awslogin (?:--[\w-]+ )*([a-z]+)(.*)$", page.read_text(), re.MULTILINE)
    named = re.findall(r"`awslogin ([a-z]+)", page.read_text())
    profiles = {"dev", "stage", "prod", "deploy", "audit"}
    assert {word for word, _ in shown} | {*named} <= COMMANDS.keys() | profiles
