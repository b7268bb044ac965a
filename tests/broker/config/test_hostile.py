"""A hostile YAML: bounded, linear, and never other than it reads."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from broker.config import Config, load
from broker.errors import ConfigError
from tests.broker.config.test_load import HEAD, ROLE, config, spoiled

LINEAR = 20.0
"""Processor seconds that nothing here may take; what is not linear takes minutes."""


@pytest.fixture(autouse=True)
def _in_linear_time() -> object:
    began = time.process_time()
    yield
    assert time.process_time() - began < LINEAR


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 1\nteam: " + "1:" * 400_000 + "1\n", "longer than"),
        ("version: 1\nteam: t\nx: " + "eyJ-" * 200_000 + "\n", "longer than"),
        ("version: 1\n? " + "x" * 30_000 + "\n: 1\n", "longer than"),
        ("version: 1\n" + "".join(f"k{i}: v\n" for i in range(310_000)), "more than"),
        ("version: 1\nteam: " + "[" * 100_000, "broken YAML"),
        ("version: 1\nteam: t\n" + "#" * 5_000_000, "larger than"),
        ("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n"
            for i in range(9)), "unfolds without end"),
    ],
)  # fmt: skip
def test_bounds(tmp_path: Path, text: str, words: str) -> None:
    assert words in spoiled(tmp_path, text).message


def test_twenty_errors_are_told_of_many(tmp_path: Path) -> None:
    text = HEAD + "  a: {provider: keys}\n" + "".join(f"k{i}: v\n" for i in range(20_000))
    error = spoiled(tmp_path, text)
    assert "the first 20 of 20000" in error.hint
    assert len(error.errors) == 20  # type: ignore[attr-defined]


def chain(tmp_path: Path, count: int) -> Config:
    links = "".join(f"  p{i}: {{source: p{i + 1}, {ROLE}}}\n" for i in range(count))
    return config(tmp_path, HEAD + links + f"  p{count}: {{provider: keys}}\n")


def test_sources_in_a_long_row(tmp_path: Path) -> None:
    loaded = chain(tmp_path, 9_000)
    assert len(loaded.problems) == 9_000 - 49
    assert loaded.profile("p8951").depth == 50
    with pytest.raises(ConfigError, match="more than 50 sources"):
        loaded.profile("p8950")


def test_sources_in_a_large_circle(tmp_path: Path) -> None:
    links = "".join(f"  p{i}: {{source: p{(i + 1) % 8_000}, {ROLE}}}\n" for i in range(8_000))
    problems = config(tmp_path, HEAD + links).problems
    assert len(problems) == 8_000
    assert "circle of 8000 profiles" in problems[0].message


def test_what_leads_into_a_circle(tmp_path: Path) -> None:
    rows = (("a", "b"), ("b", "c"), ("c", "b"), ("d", "a"), ("e", "e"))
    text = "".join(f"  {name}: {{source: {source}, {ROLE}}}\n" for name, source in rows)
    told = {error.profile: error.reason for error in config(tmp_path, HEAD + text).problems}
    assert told["b"].endswith("b → c → b")
    assert told["c"].endswith("c → b → c")
    assert told["e"].endswith("e → e")
    assert told["a"].endswith("b → c → b")
    assert told["d"].endswith("b → c → b")


def test_names_that_are_nobodys(tmp_path: Path) -> None:
    text = "".join(f"  p{i}: {{source: nobody{i}, {ROLE}}}\n" for i in range(8_000))
    assert len(config(tmp_path, HEAD + text).problems) == 8_000


@pytest.mark.parametrize(
    "value",
    [
        "!!binary aGk=",
        "!!str x",
        "!x y",
        "!!python/name:os.system x",
        "!!int 1",
        "!!map {}",
        "!!seq []",
    ],
)
def test_explicit_tags_hide_what_a_value_is(tmp_path: Path, value: str) -> None:
    error = spoiled(tmp_path, f"version: 1\nteam: {value}\n")
    assert (error.line, error.exit_code) == (2, 2)
    assert f"`{value.split(maxsplit=1)[0]}`" in error.message


def test_a_tagged_key_is_refused_too(tmp_path: Path) -> None:
    assert spoiled(tmp_path, "version: 1\n!!binary dGVhbQ==: x\n").line == 2


@pytest.mark.parametrize(
    ("written", "read"),
    [("0x10", "0x10"), ("012", "012"), ("1_000", "1_000"), ("1:30", "1:30"), ("1.50", "1.50"),
     ("2026-01-01", "2026-01-01"), ("7", "7"), ("no", "false"), ("'no'", "no"), (".inf", ".inf")],
)  # fmt: skip
def test_text_stays_as_it_is_written(tmp_path: Path, written: str, read: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(HEAD + f"  a: {{provider: keys, tags: {{tier: {written}}}}}\n")
    assert load(str(path), {}, tmp_path).profile("a").tags == {"tier": read}
