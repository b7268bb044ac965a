"""The report's page in Chromium, and its SARIF by SARIF's own schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from playwright.sync_api import Browser

from broker.config.report_settings import Ignore
from broker.report.document import RULES, Report
from broker.report.finding import ORDER, Finding, Source
from broker.report.page import as_html
from broker.report.sarif import as_sarif
from tests.organization import NOON
from tests.real.parts import browser, sarif_schema

EVIL = "<script>document.title = 'hacked'</script>\"'&"
A4_WIDTH = 680
"""Pixels between the margins of the paper."""
FAULTS = """() => {
  const light = c => { const [r, g, b] = c.map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const paper = light(parts(getComputedStyle(document.body).backgroundColor).slice(0, 3));
  const ratio = text => { const [r, g, b, alpha] = parts(text);
    const ink = light([r, g, b]);
    return alpha === 0 ? 1 : (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05); };
  const faults = [];
  const all = selector => [...document.querySelectorAll(selector)];
  for (const one of all("body *")) {
    if (one.closest("style,title") || !one.textContent.trim()) continue;
    if (ratio(getComputedStyle(one).color) < 4.5) faults.push(`contrast of ${one.tagName}`);
  }
  for (const one of all("rect"))
    if (ratio(getComputedStyle(one).fill) < 3) faults.push(`contrast of ${one.tagName}`);
  for (const one of all(".legend span"))
    if (ratio(getComputedStyle(one).backgroundColor) < 3) faults.push("contrast of a legend");
  const levels = all("h1,h2,h3,h4,h5,h6").map(h => +h.tagName[1]);
  if (levels[0] !== 1 || levels.filter(level => level === 1).length !== 1) faults.push("h1");
  if (levels.some((level, place) => place && level > levels[place - 1] + 1))
    faults.push("heading left out");
  for (const one of all("svg")) {
    if (!one.ariaLabel || one.role !== "img") faults.push("picture without a name");
    if (!one.querySelector("rect")) faults.push("empty picture");
    const box = one.getBoundingClientRect();
    if (box.width < 100 || box.height < 10) faults.push("picture too small");
  }
  for (const one of all("p,li,td,code,h1,h2,h3"))
    if (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
      faults.push(`clipped ${one.tagName}`);
  if (document.documentElement.scrollWidth > innerWidth) faults.push("sticks out");
  if (all("script,iframe,link,img,object,embed,form,[onerror],[onload]").length)
    faults.push("active content");
  if (document.documentElement.lang !== "en") faults.push("language");
  return faults;
}"""
"""Of a page: what a person with weak eyes, a phone or a screen reader would miss."""
GOOD = (
    "<!doctype html><html lang=en><style>body{{background:#fff;color:#111}}{css}</style>"
    "<h1>One</h1><h2>Two</h2><p>text</p>{more}"
    '<svg role=img aria-label=x width=200 height=20><rect width=9 height=9 fill="#111"/></svg>'
)


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


NAMES = {
    "markup": EVIL,
    "direction": "\u202eevil\u202c مرحبا",
    "long": "A" * 2000,
    "controls": "a\x1b[31mb\x07c",
}


def with_names() -> Report:
    """Names of people that want to be more than names."""
    findings = [
        Finding.of(rule, name, "111122223333", profile="prod", evidence=name)
        for rule, name in zip(RULES.values(), NAMES.values(), strict=False)
    ]
    pictures = {"long_term_keys": [{"who": name, "count": 3} for name in NAMES.values()]}
    return Report(NOON, [Source("cloudtrail", "x")], findings, [], pictures)


def many() -> Report:
    """500 findings about long ARNs."""
    arn = f"arn:aws:sts::111122223333:assumed-role/{'LongRoleName' * 5}/person@corp.example"
    rules = list(RULES.values())
    findings = [
        Finding.of(rules[number % 9], f"{arn}{number}", "111122223333") for number in range(500)
    ]
    return Report(NOON, [], findings, [], {"long_term_keys": [{"who": arn, "count": 1}]})


def nothing() -> Report:
    """No finding, no source, no picture."""
    return Report(NOON, [], [], [])


REPORTS: dict[str, Callable[[], Report]] = {
    "every rule": made,
    "hostile names": with_names,
    "500 findings": many,
    "nothing": nothing,
}


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser.launched() as started:
        yield started


def test_sarif_holds_to_its_schema() -> None:
    checker = jsonschema.Draft4Validator(sarif_schema.installed())
    for report in REPORTS.values():
        checker.validate(as_sarif(report()))
    assert not checker.is_valid(as_sarif(made()) | {"runs": 7})


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_in_a_browser(opened: Browser, name: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(as_html(REPORTS[name]()))
    asked: list[str] = []
    for colours in ("light", "dark"):
        for width in (390, 1280):
            page = opened.new_page(viewport={"width": width, "height": 844}, color_scheme=colours)
            page.on("request", lambda request: asked.append(request.url))
            page.goto(file.as_uri())
            assert page.evaluate(FAULTS) == []
            assert page.title() == "Sign-ins and what to mend – awslogin"
            page.set_viewport_size({"width": A4_WIDTH, "height": 844})
            page.emulate_media(media="print")
            assert page.evaluate(FAULTS) == []
            text = page.inner_text("body")
            assert not {"\u202e", "\x1b"} & set(text)
            page.close()
    assert set(asked) == {file.as_uri()}


@pytest.mark.parametrize(
    ("css", "more", "fault"),
    [
        ("p{color:#999}", "", "contrast of P"),
        ("", "<svg role=img aria-label=x width=200 height=20><rect fill='#eee'/></svg>",
            "contrast of rect"),
        ("", "<p class=legend>kind<span class=k9></span></p>", "contrast of a legend"),
        ("", "<h1>Again</h1>", "h1"),
        ("", "<h4>Deep</h4>", "heading left out"),
        ("", "<svg role=img width=200 height=20><rect/></svg>", "picture without a name"),
        ("", "<svg role=img aria-label=x width=200 height=20></svg>", "empty picture"),
        ("", "<svg role=img aria-label=x width=9 height=9><rect/></svg>", "picture too small"),
        ("p{width:3em;overflow:hidden;white-space:nowrap}", "<p>much more text</p>", "clipped P"),
        ("", "<div style='width:3000px'>x</div>", "sticks out"),
        ("", "<img src=x onerror=x>", "active content"),
        ("", "<script>document.documentElement.lang = ''</script>", "language"),
    ],
)  # fmt: skip
def test_the_checker_sees_each_fault(opened: Browser, css: str, more: str, fault: str) -> None:
    page = opened.new_page(viewport={"width": 1280, "height": 844})
    page.set_content(GOOD.format(css="", more=""))
    assert page.evaluate(FAULTS) == []
    page.set_content(GOOD.format(css=css, more=more))
    assert fault in page.evaluate(FAULTS)
    page.close()
