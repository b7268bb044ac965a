"""The report's page in Chromium, and its SARIF by SARIF's own schema."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from playwright.sync_api import Page

from broker.config.report_settings import Ignore
from broker.report.document import RULES, Report
from broker.report.finding import ORDER, Finding, Source
from broker.report.page import as_html
from broker.report.sarif import as_sarif
from tests.organization import NOON
from tests.real.parts import browser, sarif_schema

EVIL = "<script>document.title = 'hacked'</script>\"'&"
CONTRAST = """() => {
  const light = c => { const [r, g, b] = c.map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const rgb = text => text.match(/[\\d.]+/g).map(Number).slice(0, 3);
  const paper = light(rgb(getComputedStyle(document.body).backgroundColor));
  const bad = [];
  for (const one of document.querySelectorAll("body *")) {
    if (one.closest("style,title") || !one.textContent.trim()) continue;
    const ink = light(rgb(getComputedStyle(one).color));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 4.5) bad.push(`${one.tagName} ${one.className} ${ratio.toFixed(2)}`);
  }
  return bad;
}"""


def made() -> Report:
    """A finding of every rule, one of a hostile name, and every picture."""
    findings = [
        Finding.of(rule, EVIL, "111122223333", profile="prod", evidence="x" * 80, count=3,
            first_seen="2026-01-01T00:00:00Z", last_seen="2026-01-02T00:00:00Z")
        for rule in RULES.values()
    ]  # fmt: skip
    findings.sort(key=lambda one: ORDER.index(one.severity))
    days = [
        {"day": f"2026-01-{day:02d}", "kind": kind, "count": day * 7}
        for day in (1, 2, 9, 30)
        for kind in ("SAML", "console", "Identity Center", "role or keys", "web identity")
    ]
    pictures: dict[str, list[dict[str, Any]]] = {
        "sign_ins": days,
        "uses": [one | {"kind": "long-term key"} for one in days],
        "long_term_keys": [{"who": EVIL, "count": 5}],
        "key_ages": [{"who": EVIL, "count": 400}],
    }
    ignore = Ignore(rule="x", reason=EVIL, until=date(2999, 1, 1))
    sources = [Source("cloudtrail", EVIL, warnings=[EVIL])]
    return Report(NOON, sources, findings, [(findings[0], ignore)], pictures)


@pytest.fixture(scope="module")
def report() -> Report:
    return made()


def test_sarif_holds_to_its_schema(report: Report) -> None:
    schema = sarif_schema.installed()
    jsonschema.Draft4Validator(schema).validate(as_sarif(report))
    assert not jsonschema.Draft4Validator(schema).is_valid(as_sarif(report) | {"runs": 7})


def test_the_page_in_a_browser(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(as_html(report))
    asked: list[str] = []
    with browser.launched() as opened:
        for colours in ("light", "dark"):
            for width in (390, 1280):
                page = opened.new_page(
                    viewport={"width": width, "height": 844}, color_scheme=colours
                )
                page.on("request", lambda request: asked.append(request.url))
                page.goto(file.as_uri())
                _holds(page, width)
                page.emulate_media(media="print")
                assert page.evaluate(CONTRAST) == []
                page.close()
    assert set(asked) == {file.as_uri()}


def _holds(page: Page, width: int) -> None:
    assert page.title() == "Sign-ins and what to mend – awslogin"
    assert page.evaluate("document.documentElement.scrollWidth") == width  # nothing sticks out
    assert page.evaluate(CONTRAST) == []
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = page.evaluate("[...document.querySelectorAll('svg')].map(s => s.ariaLabel)")
    assert names
    assert all(names)
    assert page.locator("script, iframe, link, img").count() == 0
    assert page.evaluate("document.documentElement.lang") == "en"
