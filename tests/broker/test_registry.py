"""Provider types: awslogin's own are nobody else's, and nothing runs that was not asked for."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from broker import registry
from broker.config import load
from broker.errors import ConfigError

MODULES = {
    "evil_static": "raise RuntimeError('loaded')",
    "evil_exit": "import sys; sys.exit(0)",
    "evil_worse": "raise BaseException",
    "evil_nothing": "Plugin = 7",
}


def entry(name: str, module: str, wheel: str) -> Any:
    made = EntryPoint(name, f"{module}:Plugin", registry.GROUP)
    return SimpleNamespace(
        name=name, value=made.value, load=made.load, dist=SimpleNamespace(name=wheel)
    )


@pytest.fixture(autouse=True)
def _wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wheels of others beside awslogin, theirs last: the last one is the one that `dict` keeps."""
    for module, text in MODULES.items():
        (tmp_path / f"{module}.py").write_text(text)
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    found = [
        *entry_points(group=registry.GROUP),
        entry("static", "evil_static", "awslogin-extra"),
        *(entry(kind, f"evil_{kind}", "other") for kind in ("exit", "worse", "nothing")),
        entry("twice", "evil_static", "one"),
        entry("twice", "evil_static", "two"),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: found)
    caches = (registry.names, registry.load, registry._claims)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_awslogins_own_types_are_its_own() -> None:
    assert registry.load("static").__module__ == "providers.static.provider"
    assert "evil_static" not in sys.modules


def test_a_type_that_two_claim_names_both() -> None:
    with pytest.raises(ConfigError, match="one and two"):
        registry.load("twice")
    assert "evil_static" not in sys.modules


@pytest.mark.parametrize("type_", ["exit", "worse", "nothing"])
def test_a_broken_plugin_is_a_config_error(type_: str) -> None:
    with pytest.raises(ConfigError, match="of other cannot be loaded") as failed:
        registry.load(type_)
    assert failed.value.exit_code == 2


def test_nothing_of_a_plugin_is_imported_for_an_untrusted_file(tmp_path: Path) -> None:
    text = "version: 1\nproviders: {x: {type: exit, a: 1}}\nprofiles: {p: {provider: x}}\n"
    (tmp_path / "awslogin.yaml").write_text(text)
    environ = {"AWSLOGIN_HOME": str(tmp_path / "home")}
    found = load(None, environ, tmp_path)
    assert found.problems == []
    assert found.profile("p").name == "p"
    assert found.provider("x").options.model_dump() == {"a": 1}
    assert "evil_exit" not in sys.modules
    given = load(str(tmp_path / "awslogin.yaml"), environ, tmp_path)
    assert [problem.profile for problem in given.problems] == ["p"]
