"""`python -m broker.cli`: the full program at once, where the warm path has been tried already."""

import sys

from broker.cli.main import run_and_end

run_and_end(sys.argv[1:])
