"""Processes of ours that are isolated from the environment and the working directory.

`python -I -S isolated.py MODULE WORD…` is `python -m MODULE WORD…`, but imports nothing from where
PYTHONPATH leads, from the working directory, or from a person's own site-packages, unless awslogin
itself is installed there.
"""

import sys


def command(module: str) -> "list[str]":
    """The words that start a module of ours."""
    return [sys.executable, "-I", "-S", __file__, module]


def add_site_packages() -> None:
    """What `-S` left out, and where awslogin lies: plugins and libraries are found again."""
    import os
    import site

    from broker import warm

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != root]
    site.main()
    if os.path.realpath(root) not in map(os.path.realpath, sys.path):
        _add_as_site(root)
    warm.use_whole_os()


def _add_as_site(folder: str) -> None:
    """A folder of packages and the folders that its .pth files name, before other such folders."""
    import site

    before = list(sys.path)
    site.addsitedir(folder)
    added = [path for path in sys.path if path not in before]
    packages = ("site-packages", "dist-packages")
    first = next((n for n, path in enumerate(before) if path.endswith(packages)), len(before))
    sys.path[:] = [*before[:first], *added, *before[first:]]


if __name__ == "__main__":
    import os
    import runpy

    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from broker.hardening import harden
    from broker.isolated import add_site_packages as add

    harden()
    add()

    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
