"""What a browser is given to open: a private file that leads on, or the address itself."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit


def address_in(given: str) -> str:
    """The address that a browser ends up at."""
    if not given.startswith("file:"):
        return given
    page = Path(unquote(urlsplit(given).path)).read_text()
    found = re.search(r'content="0;url=([^"]*)"', page)
    assert found, page
    return unescape(found[1])
