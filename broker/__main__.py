"""`python -m broker`: the command without its script."""

import sys

from broker.entry import main

sys.exit(main())
