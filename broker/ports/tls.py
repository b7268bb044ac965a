"""Which certificates are trusted: the person's CA file, else the operating system's store."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def ca_bundle(environ: Mapping[str, str]) -> str | None:
    """The CA file that the environment names, or None for the system's trust store."""
    return environ.get("AWS_CA_BUNDLE") or environ.get("REQUESTS_CA_BUNDLE") or None


def trust_the_system(environ: Mapping[str, str]) -> None:
    """Make TLS of requests or botocore, whichever is loaded, use the system's trust store.

    Unless a CA file is named. truststore's `inject_into_ssl` would import requests, which AWS's
    library alone does without.
    """
    if ca_bundle(environ):
        return
    import truststore

    if "requests" in sys.modules:
        truststore.inject_into_ssl()
    botocore: Any = sys.modules.get("botocore.httpsession")
    if botocore:  # it keeps the class that it found at its import, which would recurse
        botocore.SSLContext = truststore.SSLContext
