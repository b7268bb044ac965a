"""NetIQ Access Manager: pages that a script loads one into another, and its forms.

Source: saml2aws 2.36.19, `pkg/provider/netiq` with its captured pages.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from broker.ports.http import Reply
from broker.ports.urls import joined
from providers.saml.forms import Kind
from providers.saml.idps.form_or_browser import FormOrBrowser
from providers.saml.page import Page
from providers.saml.walk import PageReader, Walk

_LOADED = re.compile(r"""\bgetToContent\(\s*(['"])((?:(?!\1).){1,4096})\1\s*,""")


class NetIq(FormOrBrowser):
    """`url` is the app's, `https://HOST/nidp/saml2/idpsend?id=APP` (or `?PID=…`), or the host."""

    START = "/nidp/saml2/idpsend?PID=STSPv8a5kc"


class NetIqPages(PageReader):
    """What the common rules would not follow."""

    @classmethod
    def recognises(cls, page: Page) -> bool:
        """By the script that loads the next page into this one."""
        asks = any(page.first(kind) for kind in (Kind.PASSWORD, Kind.CODE, Kind.RESPONSE))
        return not asks and _LOADED.search(page.script) is not None

    @classmethod
    def answer(cls, page: Page, walk: Walk) -> Reply | Page:
        """Load it as the script would, in the place that the script has for it."""
        match = _LOADED.search(page.script)
        assert match
        target = joined(page.url, match[2].replace("&amp;", "&"))
        mark = "&" if urlsplit(target).query else "?"
        return walk.http.get(f"{target}{mark}uiDestination=contentDiv")
