"""`make bench`: every module of this package, or those that are named.

Options belong to the module named before them: `python -m tests.bench report --millions 0.1 1`.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from itertools import takewhile

import tests.bench


def main(words: list[str]) -> None:
    """Run them, one after another."""
    names = list(takewhile(lambda word: not word.startswith("-"), words))
    options = words[len(names) :]
    found = [module.name for module in pkgutil.iter_modules(tests.bench.__path__)]
    for name in names or [name for name in found if name != "__main__"]:
        print(f"\n# {name}", flush=True)
        module = importlib.import_module(f"tests.bench.{name}")
        module.main(*[options] if options else [])


if __name__ == "__main__":
    main(sys.argv[1:])
