"""The code as a graph: who imports whom, on which floor a module stands, how long things are.

`python -m tests.architecture` prints the floors, what is longer than the house wants with the
reason beside it, and the names that do not say what they hold; with `--write` it brings the page's
table to the floors that are named here.
`tests/test_architecture.py` holds the rules.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/architecture.md"
ROW = re.compile(r"^\| ([a-z ]+) \| ([^|]+) \| (`.*) \|$", re.MULTILINE)
"""A row of the table of floors: its name, what is there in words, modules and packages."""
FLOORS = {
    "ground": """broker broker.arn broker.duration_field broker.durations broker.errors
        broker.failure_line broker.file_fingerprint broker.file_lock broker.fingerprint
        broker.hardening broker.isolated broker.minimal_os broker.nearest broker.owned_tempdir
        broker.paths broker.private_opener broker.quick_completion broker.record_files
        broker.recording_environ broker.regions broker.secret broker.terminal_text
        broker.time_left broker.warm broker.whole_files""",
    "contract": "broker.credentials broker.provider broker.provider_options broker.registry",
    "ports": "broker.ports",
    "providers": "providers broker.testing",
    "sessions": """broker.aws_copies broker.aws_config broker.aws_files broker.aws_readable
        broker.cache broker.child broker.environment broker.federation broker.fresh
        broker.key_ages broker.put_aside broker.render broker.schemas broker.seal
        broker.sealing_key broker.session broker.shells broker.single_flight""",
    "config": "broker.config broker.settings",
    "agent": "broker.agent",
    "login": """broker.broker broker.events broker.identity broker.importing broker.kept_sign_ins
        broker.kept_variant broker.login broker.logout broker.migration broker.plugins
        broker.sign_in broker.user_keys""",
    "command line": "broker.doctor broker.report broker.cli",
    "start": "broker.entry broker.launch broker.__main__",
}
"""From the lowest: the modules and packages on each floor; `docs/architecture.md` shows them."""
LONGEST_FILE = 300
MOST_METHODS = 15
LONG = {
    "broker/config/loaded.py:Config": "what a config is asked for, a line each",
    "broker/agent/client.py:AgentClient": "one short method a message of the agent",
    "broker/agent/endpoint.py:CredentialsEndpoint": "one thread's loop over sockets, whose parts"
    " share all of its state",
    "broker/cli/app.py:App": "what all commands share, a few lines each",
    "broker/ports/ui.py": "every way to ask and tell a person, beside one another",
    "broker/ports/ui.py:Ui": "every way to ask and tell a person, beside one another",
    "broker/provider.py": "all that the author of a plugin reads, in one file",
    "broker/provider.py:Provider": "a plugin's whole contract, of which most say two methods",
    "broker/warm.py": "the warm path in one file: each further one costs 0.3 ms of some 10",
    "providers/saml/credentials.py:Person": "every answer that a page may want of one person",
    "providers/static/provider.py:Static": "all that a holder of keys promises, a few lines each",
    "providers/saml/walk.py:Walk": "five methods for page readers, and the steps behind them",
}
"""Files and classes over the bounds, with the reason."""
VAGUE_NAMES = frozenset({"told", "said", "words", "one", "kept"})
"""As names of variables, constants, parameters, attributes, functions and classes they do not say
what is held: a message, a reply, arguments, a profile, a cached session."""


def name(path: Path) -> str:
    """A file as it is written in messages."""
    return path.relative_to(ROOT).as_posix()


@cache
def sources() -> Mapping[str, Path]:
    """Every module of ours and its file."""
    files = (path for top in ("broker", "providers") for path in (ROOT / top).rglob("*.py"))
    return {
        name(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for path in sorted(files)
    }


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax, read once."""
    return ast.parse(path.read_text())


def imports(path: Path, *, also_for_types: bool = True) -> Iterator[tuple[str, str]]:
    """Every import of a file, wherever in it: the module, and the name taken from it or "".

    Args:
        path: The file.
        also_for_types: Those under `if TYPE_CHECKING:` too, which no process ever carries out.
    """
    skipped: set[int] = set()
    for node in ast.walk(tree(path)) if not also_for_types else ():
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            skipped |= {id(inner) for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(tree(path)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


@cache
def graph() -> Mapping[str, set[str]]:
    """Which of our modules each of our modules imports, at its top or later."""
    return {module: set(_imported(path)) - {module} for module, path in sources().items()}


def _imported(path: Path) -> Iterator[str]:
    """Our modules among a file's imports; `from package import module` is the module alone."""
    for node in ast.walk(tree(path)):  # tables of `module:name`, which are imported by `importlib`
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            module, colon, _ = node.value.partition(":")
            if colon and module in sources():
                yield module
    for package, name in imports(path, also_for_types=False):
        full = f"{package}.{name}"
        if full in sources():
            yield full
        elif package in sources():
            yield package


def circles() -> list[list[str]]:
    """Ways that lead back to where they began, the shortest for each module that is on one."""
    edges = graph()
    ways = [way for module in edges if (way := _way_back(edges, module))]
    return [way for way in ways if way[0] == min(way)]


def _way_back(edges: Mapping[str, set[str]], start: str) -> list[str]:
    """The shortest way from a module to itself; empty where there is none."""
    came_from = {start: start}
    reached = [start]
    for module in reached:
        for target in sorted(edges[module]):
            if target == start:
                way = [start, module]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if target not in came_from:
                came_from[target] = module
                reached.append(target)
    return []


def floor_of(module: str) -> int | None:
    """The number of the floor that a module stands on, from 0; None for one that has none."""
    floors = {
        entry: number for number, entries in enumerate(FLOORS.values()) for entry in entries.split()
    }
    while module not in floors and "." in module:
        module = module.rpartition(".")[0]
        if module == "broker":
            return None
    return floors.get(module)


def upward() -> list[tuple[str, str]]:
    """Imports from a lower floor to a higher one."""
    return [
        (module, target)
        for module, targets in graph().items()
        for target in sorted(targets)
        if (floor_of(module) or 0) < (floor_of(target) or 0)
    ]


def sizes() -> dict[str, int]:
    """Files over the bound by their lines, and classes by their methods."""
    found = {}
    for path in sources().values():
        lines = len(path.read_text().splitlines())
        if lines > LONGEST_FILE:
            found[name(path)] = lines
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                methods = sum(isinstance(part, ast.FunctionDef) for part in node.body)
                if methods > MOST_METHODS:
                    found[f"{name(path)}:{node.name}"] = methods
    return found


def vague_names() -> dict[str, list[str]]:
    """Files that bind names of `VAGUE_NAMES`: `words in line 12`."""
    found = {
        name(path): [
            f"{bound} in line {line}"
            for bound, line in _bound_names(tree(path))
            if bound.strip("_").lower() in VAGUE_NAMES
        ]
        for path in sources().values()
    }
    return {file: places for file, places in found.items() if places}


def _bound_names(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that a module binds, and the line."""
    for node in ast.walk(module):
        match node:
            case ast.Name(id=bound, ctx=ast.Store()) | ast.Attribute(attr=bound, ctx=ast.Store()):
                yield bound, node.lineno
            case ast.FunctionDef(name=bound) | ast.ClassDef(name=bound) | ast.arg(arg=bound):
                yield bound, node.lineno
            case ast.ExceptHandler(name=str(bound)) | ast.alias(asname=str(bound)):
                yield bound, node.lineno


def shown_floors(page: str) -> list[tuple[str, list[str]]]:
    """The floors of a page's table and what stands there, from the highest."""
    return [(floor, re.findall(r"`([\w.]+)`", there)) for floor, _, there in ROW.findall(page)]


def write(page: Path) -> None:
    """Bring the page's table to the floors."""

    def row(match: re.Match[str]) -> str:
        there = ", ".join(f"`{module}`" for module in FLOORS[match[1]].split())
        return f"| {match[1]} | {match[2]} | {there} |"

    page.write_text(ROW.sub(row, page.read_text()))


def main() -> None:
    """Print the house."""
    if "--write" in sys.argv:
        write(PAGE)
    lines = [len(path.read_text().splitlines()) for path in sources().values()]
    print(f"{len(lines)} files, median {median(lines):.0f} lines")
    for number, floor in reversed(list(enumerate(FLOORS))):
        print(f"{number} {floor}: {sum(floor_of(m) == number for m in sources())} modules")
    for what, size in sizes().items():
        print(f"{what}: {size} - {LONG.get(what, 'NO REASON')}")
    for file, places in vague_names().items():
        print(f"{file}: vague names: {', '.join(places)}")
    for way in circles():
        print("circle:", " → ".join(way))
    for module, target in upward():
        print("upwards:", module, "→", target)


if __name__ == "__main__":
    main()
