"""The first lines of every command. Imports `sys` alone; all else is loaded when it is needed."""

import sys


def main() -> int:
    """Run the command line; the exit code."""
    from broker.cli.app import run

    return run(sys.argv[1:])
