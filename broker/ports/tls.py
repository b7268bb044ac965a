"""Which certificates are trusted: the person's CA file, else the operating system's store."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from broker.ports.route import CA_VARIABLES


def trust_the_system(environ: Mapping[str, str]) -> None:
    """Make TLS of requests or botocore, whichever is loaded, use the system's trust store.

    Unless a CA file is named. truststore's `inject_into_ssl` would import requests, which AWS's
    library alone does without.
    """
    if any(environ.get(name) for name in CA_VARIABLES):
        return
    import truststore

    if "requests" in sys.modules:
        truststore.inject_into_ssl()
    botocore: Any = sys.modules.get("botocore.httpsession")
    if botocore:  # it keeps the class that it found at its import, which would recurse
        botocore.SSLContext = truststore.SSLContext
