"""The rules of `docs/architecture.md`, held by reading the code and by fresh processes."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import tests.bench
from tests.architecture import (
    FLOORS,
    LONG,
    PAGE,
    ROOT,
    circles,
    floor_of,
    imports,
    name,
    shown_floors,
    sizes,
    sources,
    tree,
    upward,
    vague_names,
)

BROKER = [path for path in sources().values() if name(path).startswith("broker/")]
PROVIDERS = [path for path in sources().values() if name(path).startswith("providers/")]

SOCKETS_AND_SECRETS = {"socket", "_socket", "requests", "boto3", "botocore", "keyring", "ssl"}
SERVERS = {"http.server", "socketserver"}
PROMPTS = {"getpass", "termios", "webbrowser"}
FOR_PROVIDERS = (
    "broker.arn",
    "broker.provider",
    "broker.durations",
    "broker.duration_field",
    "broker.errors",
    "broker.secret",
    "broker.ports",
    "broker.paths",
    "broker.terminal_text",
    "broker.nearest",
    "broker.regions",
)


def imported(path: Path) -> set[str]:
    """Modules that a file imports, and the names it takes from them, with dots."""
    found = list(imports(path))
    return {module for module, _ in found} | {f"{m}.{taken}" for m, taken in found if taken}


def own_package(path: Path) -> str:
    """A provider's file or package: `providers.static`, `providers.saml`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:2])


def test_the_broker_names_no_provider() -> None:
    found = {name(p): [m for m in imported(p) if m.split(".")[0] == "providers"] for p in BROKER}
    assert not {path: modules for path, modules in found.items() if modules}


def test_a_provider_knows_its_contract_and_itself_alone() -> None:
    for path in PROVIDERS:
        ours = {m for m in imported(path) if m.split(".")[0] in {"broker", "providers"}}
        known = (*FOR_PROVIDERS, own_package(path))
        assert not [module for module in ours if not module.startswith(known)], name(path)


def test_only_ports_reach_the_outside() -> None:
    forbidden = SOCKETS_AND_SECRETS | SERVERS | PROMPTS
    for path in [*BROKER, *PROVIDERS]:
        where = name(path)
        if where.startswith(("broker/ports/", "broker/agent/")) or where == "broker/testing.py":
            continue
        # Exceptions of botocore may be read where its clients are used; they open nothing.
        used = {m for m in imported(path) if not m.startswith("botocore.exceptions")}
        found = {m for m in used if m in forbidden or m.split(".")[0] in forbidden}
        allowed = {"getpass", "getpass.getuser"}  # the user's name; it prompts for nothing
        if where in {"broker/warm.py", "broker/launch.py"}:
            allowed |= {"_socket", "_socket.socket"}  # the warm path asks the agent itself
        assert found <= allowed, where


def test_getpass_is_used_for_the_users_name_alone() -> None:
    for path in [*BROKER, *PROVIDERS]:
        assert "getpass.getpass" not in path.read_text(), name(path)


def test_only_the_boundary_makes_exit_codes() -> None:
    boundary = {"main", "__main__"}
    for path in [*BROKER, *PROVIDERS]:
        starts = {"broker/__main__.py", "broker/launch.py"}
        if name(path) in starts | {f"broker/cli/{file}.py" for file in boundary}:
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                where = f"{name(path)}:{node.lineno}"
                assert called not in {"sys.exit", "exit", "quit", "SystemExit"}, where


def test_every_module_says_what_it_owns() -> None:
    assert [name(p) for p in sources().values() if not ast.get_docstring(tree(p))] == []


def test_every_module_stands_on_a_floor() -> None:
    """A new one joins the lowest floor that it can stand on, in FLOORS and in the page."""
    assert [module for module in sources() if floor_of(module) is None] == []


def test_the_page_shows_the_floors() -> None:
    """`python -m tests.architecture --write` brings the page to the table."""
    named = [(floor, there.split()) for floor, there in FLOORS.items()]
    assert shown_floors(PAGE.read_text()) == named[::-1]


def test_no_import_leads_to_a_higher_floor() -> None:
    assert upward() == []


def test_no_imports_lead_in_a_circle() -> None:
    """Lazy ones count; those for types alone do not, as no process carries them out."""
    assert circles() == []


def test_what_is_long_has_a_reason() -> None:
    assert [f"{what}: {size}" for what, size in sizes().items() if what not in LONG] == []


def test_each_bench_can_be_run() -> None:
    """`make bench` runs every module of `tests.bench`."""
    benches = {module.name for module in pkgutil.iter_modules(tests.bench.__path__)}
    assert "warm" in benches
    for bench in benches - {"__main__"}:
        assert callable(importlib.import_module(f"tests.bench.{bench}").main), bench


def test_no_name_is_vague() -> None:
    assert vague_names() == {}


def loaded_by(code: str, *switches: str) -> set[str]:
    """The modules that a fresh process has after some code, less those of a bare start."""

    def modules(text: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, *switches, "-c", f"{text}\nimport sys; print(*sys.modules)"],
            capture_output=True, text=True, check=True, cwd=ROOT,
        )  # fmt: skip
        return set(done.stdout.split())

    return modules(code) - modules("pass")


def test_the_warm_path_imports_next_to_nothing() -> None:
    ours = {"broker", "broker.launch", "broker.warm"}
    assert loaded_by("import broker.launch") <= {*ours, "_socket", "sys", "os"}


def test_the_command_and_the_line_of_setup_do_without_os() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import broker.launch"
    ours = {"broker", "broker.launch", "broker.warm", "broker.minimal_os"}
    assert loaded_by(code, "-I", "-S") == ours
    code += "; broker.warm.agent_folder({})"  # in the person's home, which HOME names
    assert loaded_by(code, "-I", "-S") == ours


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import broker.cli.main", {"pydantic", "yaml", "keyring", "requests", "boto3", "rich"}),
        ("import broker.login", {"keyring", "requests", "boto3", "botocore", "bs4"}),
        ("from broker.ports.aws import Aws; Aws({}).load()", {"keyring", "requests", "bs4"}),
        ("import providers.saml.provider", {"requests", "boto3", "botocore", "bs4"}),
        ("import providers.identity_center", {"requests", "boto3", "botocore"}),
    ],
)
def test_what_is_not_needed_is_not_loaded(code: str, heavy: set[str]) -> None:
    assert not heavy & loaded_by(code)
