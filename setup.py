"""The command's form per platform; all else is in pyproject.toml.

On POSIX `awslogin` is a script of our own: it starts Python isolated, works below any path, and
costs less than the wrapper that pip writes. Windows cannot run such a script, so it gets pip's.
"""

import sys

from setuptools import setup

if sys.platform == "win32":
    setup(entry_points={"console_scripts": ["awslogin = broker.launch:main"]})
else:
    setup(scripts=["bin/awslogin"])
