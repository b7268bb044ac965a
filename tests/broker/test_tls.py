"""Whose certificates are trusted."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import botocore.httpsession
from broker.ports.tls import trust_the_system
trust_the_system({})
session = botocore.httpsession.URLLib3Session()
print(type(botocore.httpsession.create_urllib3_context()).__module__)
"""


def test_the_systems_store_counts_though_botocore_came_first() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("truststore")
