"""`python -m broker`, and the line that `setup` writes, which runs this file by its path.

That line is isolated and without site-packages, as `launch` has it; the path is in files of people,
so this file stays where it is.
"""

import sys

by_setup = not __package__
if by_setup:
    sys.path.insert(0, __file__.rpartition("/broker/")[0])

from broker.launch import main  # noqa: E402

sys.exit(main(by_setup=by_setup))
