"""Where a page leads a browser by itself: a form that sends itself, a refresh, a script."""

from __future__ import annotations

import re

from providers.saml.forms import Form, Kind, absolute
from providers.saml.page import Page

_LOCATION = re.compile(
    r"(?:\b(?:window|document|self|top)\.|(?<![\w.$]))"
    r"location(?:\.href\s*=|\.replace\(|\.assign\(|\s*=)"
    r"""\s*(['"`])((?:(?!\1|\$\{).){1,8192})\1"""
)
_REFRESH = re.compile(r"(?is)\s*(\d{1,2})(?:\.\d*)?\s*(?:[;,]\s*(?:url\s*=)?\s*(.*))?")
LONGEST_REFRESH = 30
"""Seconds."""


def onward(page: Page) -> Form | None:
    """The form that a browser would post by itself, else the only one, if it has a button."""
    leading = [form for form in page.forms if form.kind is Kind.ONWARD]
    others = [
        form
        for form in page.forms
        if form.method == "post" and not (form.is_aside and form.typed) and form not in leading[:1]
    ]
    lone = leading[0] if len(leading) == 1 and not others else None
    if lone and (page.soup.find("iframe") or not lone.buttons):
        lone = None
    return next((form for form in leading if form.automatic), lone)


def refresh(page: Page) -> tuple[float, str] | None:
    """Where a `<meta http-equiv=refresh>` leads, and after how many seconds."""
    for tag in page.soup.find_all("meta", content=True):
        if str(tag.get("http-equiv", "")).lower() == "refresh":
            match = _REFRESH.fullmatch(str(tag["content"]))
            if match and int(match[1]) <= LONGEST_REFRESH:
                return float(match[1]), absolute(page.url, (match[2] or "").strip("'\" \n"))
    return None


def script_target(page: Page) -> str | None:
    """Where a script sends the browser: a plain assignment of a whole address."""
    found = _LOCATION.findall(page.script)
    targets = {target.replace(r"\/", "/").replace(r"\u0026", "&") for _, target in found}
    asking = {target for target in targets if "SAMLRequest=" in target}
    chosen = asking or targets
    return absolute(page.url, chosen.pop()) if len(chosen) == 1 else None
