"""The rules of `docs/architecture.md`, held by reading the code and by fresh processes."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BROKER = sorted((ROOT / "broker").rglob("*.py"))
PROVIDERS = sorted((ROOT / "providers").rglob("*.py"))

SOCKETS_AND_SECRETS = {"socket", "_socket", "requests", "boto3", "botocore", "keyring", "ssl"}
SERVERS = {"http.server", "socketserver"}
PROMPTS = {"getpass", "termios", "webbrowser"}
FOR_PROVIDERS = (
    "broker.arn",
    "broker.provider",
    "broker.durations",
    "broker.errors",
    "broker.secret",
    "broker.ports",
    "broker.paths",
    "broker.terminal_text",
    "broker.nearest",
    "broker.regions",
)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def own_package(path: Path) -> str:
    """A provider's file or package: `providers.static`, `providers.saml`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:2])


@pytest.mark.parametrize("path", BROKER, ids=name)
def test_the_broker_names_no_provider(path: Path) -> None:
    assert not [m for m in imports(path) if m == "providers" or m.startswith("providers.")]


@pytest.mark.parametrize("path", PROVIDERS, ids=name)
def test_a_provider_knows_its_contract_and_itself_alone(path: Path) -> None:
    ours = [m for m in imports(path) if m.split(".")[0] in {"broker", "providers"}]
    assert not [
        module
        for module in ours
        if not module.startswith(FOR_PROVIDERS) and not module.startswith(own_package(path))
    ]


@pytest.mark.parametrize("path", [*BROKER, *PROVIDERS], ids=name)
def test_only_ports_reach_the_outside(path: Path) -> None:
    where = name(path)
    if where.startswith(("broker/ports/", "broker/agent/")) or where == "broker/testing.py":
        return
    # Exceptions of botocore may be read where its clients are used; they open nothing.
    used = {m for m in imports(path) if not m.startswith("botocore.exceptions")}
    forbidden = SOCKETS_AND_SECRETS | SERVERS | PROMPTS
    found = {m for m in used if m in forbidden or m.split(".")[0] in forbidden}
    allowed = {"getpass", "getpass.getuser"}  # the user's name; it prompts for nothing
    if where == "broker/entry.py":
        allowed |= {"_socket", "_socket.socket"}  # the warm path asks the agent itself
    assert found <= allowed


def test_getpass_is_used_for_the_users_name_alone() -> None:
    for path in [*BROKER, *PROVIDERS]:
        assert "getpass.getpass" not in path.read_text(), name(path)


@pytest.mark.parametrize("path", [*BROKER, *PROVIDERS], ids=name)
def test_only_the_boundary_makes_exit_codes(path: Path) -> None:
    if name(path) in {"broker/__main__.py", "broker/cli/__main__.py", "broker/cli/main.py"}:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"sys.exit", "exit", "quit", "SystemExit"}, f"line {node.lineno}"


@pytest.mark.parametrize("path", [*BROKER, *PROVIDERS], ids=name)
def test_every_module_says_what_it_owns(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


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
    assert loaded_by("import broker.entry") <= {"broker", "broker.entry", "_socket", "sys", "os"}


def test_the_line_of_setup_does_without_os() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import broker.entry"
    assert loaded_by(code, "-I", "-S") == {"broker", "broker.entry", "broker.lean"}
    code += "; broker.entry.agent_folder({})"  # in the person's home, which HOME names
    assert loaded_by(code, "-I", "-S") == {"broker", "broker.entry", "broker.lean"}


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
