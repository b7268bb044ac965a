"""What the pages show is true: their YAML loads, and their commands exist."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import click
import pytest
import yaml
from pydantic import BaseModel

from broker import registry
from broker.cli.help import MAX_SUMMARY, SUMMARIES
from broker.cli.main import COMMANDS, root
from broker.config import load
from broker.config.models import DefaultsModel, FileModel, ProfileModel

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
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
    if "extends:" in text:  # files that are elsewhere
        FileModel.model_validate(yaml.safe_load(text))
        return
    config = load(str(path), {"USER": "ann", "AWS_OIDC_TOKEN": "x"}, tmp_path)
    assert config.problems == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_exist(page: Path) -> None:
    shown = re.findall(
        r"^ {4}awslogin (?:--[\w-]+ )*([a-z][a-z-]*)(.*)$", page.read_text(), re.MULTILINE
    )
    named = re.findall(r"`awslogin ([a-z][a-z-]*)", page.read_text())
    profiles = {"dev", "stage", "prod", "deploy", "audit"}
    assert {word for word, _ in shown} | {*named} <= COMMANDS.keys() | profiles


def shown_lines(page: Path) -> list[str]:
    """Every `awslogin …` of a page: in a block of code, or in the text between backticks."""
    text = page.read_text()
    blocks = re.findall(r"^(?: {4}|\$ )?(awslogin .*)$", text, re.MULTILINE)
    return [line.partition("  #")[0] for line in blocks] + re.findall(r"`(awslogin [^`]+)`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_options_of_a_page_exist(page: Path) -> None:
    everywhere = {"--help", "--version"}
    for line in shown_lines(page):
        words = re.split(r" -- | \| | && |; ", line)[0].split()[1:]
        named = [word for word in words if not word.startswith("-")]
        command = root.get_command(click.Context(root), named[0] if named else "login")
        if command is None:
            command = root.get_command(click.Context(root), "login")
        if isinstance(command, click.Group) and len(named) > 1:
            command = command.get_command(click.Context(command), named[1])
        assert command, line
        known = {option for parameter in command.params for option in parameter.opts}
        given = {word.strip("[]…,.").partition("=")[0] for word in words if word[:1] in "-["}
        options = {word for word in given if word.startswith("--") and len(word) > 2}
        assert options <= known | everywhere, line


def test_the_page_of_the_architecture_names_what_is_there() -> None:
    table = (ROOT / "docs/architecture.md").read_text().partition("## Where is")[2]
    rows = re.findall(r"^\| .*\? \| (.+) \|$", table.partition("\n## ")[0], re.MULTILINE)
    assert len(rows) > 30
    for place in "; ".join(rows).split("; "):
        files, _, names = place.partition(": ")
        paths = [ROOT / file for file in re.findall(r"`([^`]+)`", files)]
        assert paths, place
        assert all(path.exists() for path in paths), place
        for name in re.findall(r"`([^`]+)`", names):
            defined = rf"^ *(def|class) {name}\b|^{name}\b.* = "
            assert re.search(defined, paths[-1].read_text(), re.MULTILINE), place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_leads_to_is_there(page: Path) -> None:
    """Its links, and the files of ours that it names."""
    text = page.read_text()
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    files = re.findall(r"`((?:broker|providers|tests|docs|scripts)/[\w./-]+)`", text)
    if page.name not in {"CHANGELOG.md", "CONTRIBUTING.md"}:  # files of the past, and of the reader
        assert [file for file in files if not (ROOT / file).exists()] == []
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_each_promise_of_security_has_a_test_that_is_there() -> None:
    page = (ROOT / "docs/security.md").read_text()
    promises = page.partition("## Against a hostile repository")[2].partition("## What is not")[0]
    rows = [row for row in promises.splitlines() if re.match(r"\| (?!promise|---)", row)]
    assert len(rows) > 25
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, test in named:
            assert re.search(rf"^ *def {test}\(", (ROOT / file).read_text(), re.MULTILINE), test


def test_the_example_has_every_option(tmp_path: Path) -> None:
    """Some in comments, as they would be wrong beside others: those are tried too."""
    text = (ROOT / "config.example.yaml").read_text()
    models: list[type[BaseModel]] = [FileModel, DefaultsModel, ProfileModel]
    for model in [*models, *(registry.load(entry).Options for entry in registry.names())]:
        names = [field.alias or name for name, field in model.model_fields.items()]
        assert [name for name in names if not re.search(rf"\b{name}:", text)] == [], model
    for comment in re.findall(r"^ *# (\w+: .*)$", text, re.MULTILINE):
        yaml.safe_load(comment)
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert load(str(path), {"USER": "ann", "HOME": str(tmp_path)}, tmp_path).problems == []


def test_the_help_has_each_commands_own_summary() -> None:
    context = click.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command
        assert SUMMARIES[name] == command.get_short_help_str(MAX_SUMMARY)
