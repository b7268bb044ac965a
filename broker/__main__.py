"""The command without its script: `python -m broker`, and the line that `setup` writes.

That line runs this file by its path, isolated and without site-packages: the fastest start.
"""

import sys

alone = not __package__
if alone:
    sys.path.insert(0, __file__.rpartition("/broker/")[0])

from broker.warm import main  # noqa: E402

if alone:
    sys.path.append(sys.path.pop(0))

sys.exit(main(alone=alone))
