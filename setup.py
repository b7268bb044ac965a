"""The command's form per platform; all else is in pyproject.toml.

On POSIX `awslogin` is a script of our own: the wrapper that pip writes for a console script imports
`re` and costs more than the whole warm path. Windows cannot run such a script, so it gets pip's.
"""

import sys

from setuptools import setup

if sys.platform == "win32":
    setup(entry_points={"console_scripts": ["awslogin = broker.warm:main"]})
else:
    setup(scripts=["bin/awslogin"])
