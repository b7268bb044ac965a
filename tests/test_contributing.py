"""The recipes of CONTRIBUTING.md, followed word for word in a copy of the source."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RECIPES = ("Write a provider", "Write a SAML kind", "Write a command", "Write an output format")
BLOCK = re.compile(
    r"^`([^`]+)`(?:, (below|above) `([^`]+)`)?:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
"""A file's path, where in it the lines stand (else they are all of it), and the lines."""


def blocks(recipe: str) -> Iterator[tuple[str, str, str, str]]:
    """What a recipe says to write."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    section = page.partition(f"\n## {recipe}\n")[2].partition("\n## ")[0]
    yield from BLOCK.findall(section)


def follow(copy: Path, recipe: str) -> list[str]:
    """Do what a recipe says; the tests that it wrote."""
    written = []
    for name, side, anchor, text in blocks(recipe):
        file = copy / name
        if not side:
            assert not file.exists(), name
            file.write_text(text)
            written.append(name)
            continue
        lines = file.read_text().splitlines(keepends=True)
        (place,) = [n for n, line in enumerate(lines) if line.strip() == anchor]
        lines.insert(place + (side == "below"), text if side == "below" else f"{text}\n\n")
        file.write_text("".join(lines))
    return [name for name in written if name.startswith("tests/")]


def install(copy: Path) -> None:
    """What `pip install -e .` does to the entry points."""
    groups = tomllib.loads((copy / "pyproject.toml").read_text())["project"]["entry-points"]
    info = copy / "awslogin-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: awslogin\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in entries.items())
            for group, entries in groups.items()
        )
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The source, as somebody has cloned it."""
    for folder in ("broker", "providers", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_recipes_work_word_for_word(copy: Path) -> None:
    tests = [name for recipe in RECIPES for name in follow(copy, recipe)]
    assert len(tests) == len(RECIPES)
    install(copy)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests],
        env={**os.environ, "PYTHONPATH": str(copy)}, cwd=copy, capture_output=True,
            text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)


def test_the_recipes_are_as_tidy_as_the_rest(copy: Path) -> None:
    for recipe in RECIPES:
        follow(copy, recipe)
    written = [name for recipe in RECIPES for name, *_ in blocks(recipe)]
    files = sorted({name for name in written if name.endswith(".py")})
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--no-cache", *files],
            cwd=copy, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
