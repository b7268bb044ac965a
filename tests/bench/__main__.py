"""`make bench`: every module of this package, or those that are named."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.bench


def main(names: list[str]) -> None:
    """Run them, one after another."""
    found = [module.name for module in pkgutil.iter_modules(tests.bench.__path__)]
    for name in names or [name for name in found if name != "__main__"]:
        print(f"\n# {name}", flush=True)
        importlib.import_module(f"tests.bench.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
