"""`python -m broker.cli`: the full program at once, where the warm path has been tried already."""

import sys

from broker.cli.app import run

sys.exit(run(sys.argv[1:]))
