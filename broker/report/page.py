"""The report as one HTML file: no script, nothing from elsewhere, readable in print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from html import escape

from broker.report.document import RULES, Report
from broker.report.finding import ORDER, Finding
from broker.report.pictures import by_day, by_name, isolated
from broker.terminal_text import counted

_STYLE = """
:root{color-scheme:light dark;--ink:#16181d;--paper:#fff;--soft:#5a6072;--line:#d5d9e2;
--k0:#1f5fbf;--k1:#b25000;--k2:#5b7f1c;--k3:#8a2f7f;--k4:#5a6072;
--error:#b3261e;--warning:#8a5300;--info:#1f5fbf}
@media screen and (prefers-color-scheme:dark){:root{--ink:#eceef2;--paper:#16181d;--soft:#a9b0c0;
--line:#3a3f4b;--k0:#7fb0ff;--k1:#ffb168;--k2:#b4dc6a;--k3:#e79bdd;--k4:#a9b0c0;
--error:#ff8a80;--warning:#ffc266;--info:#7fb0ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 4rem;background:var(--paper);
color:var(--ink);font:1rem/1.55 system-ui,sans-serif}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.25rem;margin:2.5rem 0 .5rem}
h3{font-size:1rem;margin:1.75rem 0 .25rem}
h1,h2,h3,p,li{overflow-wrap:anywhere}
p,ul{margin:.25rem 0 .75rem}
.soft{color:var(--soft)}
.counts{display:flex;flex-wrap:wrap;gap:1.5rem;padding:0;list-style:none;margin:1rem 0}
.counts b{display:block;font-size:2rem;line-height:1}
.error b,h3.error{color:var(--error)}.warning b,h3.warning{color:var(--warning)}
.info b,h3.info{color:var(--info)}
figure{margin:1.5rem 0;break-inside:avoid}
figcaption{font-weight:600;margin-bottom:.25rem}
svg{display:block;width:100%;border-bottom:1px solid var(--line)}
.edges{display:flex;justify-content:space-between}
figure p{font-size:.9rem}
.bars{list-style:none;padding:0}.bars li{margin:.5rem 0}.bars svg{border:0;margin-top:.15rem}
rect.error{fill:var(--error)}rect.warning{fill:var(--warning)}rect.info{fill:var(--info)}
.k0{fill:var(--k0);background:var(--k0)}.k1{fill:var(--k1);background:var(--k1)}
.k2{fill:var(--k2);background:var(--k2)}.k3{fill:var(--k3);background:var(--k3)}
.k4{fill:var(--k4);background:var(--k4)}
.legend{display:flex;flex-wrap:wrap;gap:1rem;padding:0;list-style:none}
.legend span{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
table{border-collapse:collapse;width:100%;font-size:.9rem;table-layout:fixed}
th:nth-child(1){width:24%}th:nth-child(2){width:9em}th:nth-child(4){width:6.5em}
th:nth-child(5){width:28%}
th,td{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line);
vertical-align:top;overflow-wrap:anywhere}
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere;user-select:all}
@media screen and (max-width:45rem){thead{display:none}table,tbody,tr,td{display:block}
tr{border-bottom:1px solid var(--line);padding:.5rem 0}
td{border:0;padding:.1rem 0}td:empty{display:none}
td::before{content:attr(data-of) ": ";color:var(--soft)}}
@page{margin:1.5cm}
@media print{:root{color-scheme:light;--ink:#000;--paper:#fff}body{max-width:none;padding:0}
table{font-size:.8rem}h2,h3,h3+p{break-after:avoid}tr{break-inside:avoid}*{print-color-adjust:exact}}
"""


NAMES = {"error": "errors", "warning": "warnings", "info": "hints"}
_COLUMNS = ("Who", "Account", "Seen", "Last (UTC)", "Mend")
_HEAD = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)


def as_html(report: Report) -> str:
    """The page."""
    made = report.generated_at.strftime("%Y-%m-%d %H:%M UTC")
    body = "".join([_counts(report), _pictures(report), *_findings(report), *_rest(report)])
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">\n"
        f"<title>Sign-ins and what to mend – awslogin</title>\n<style>{_STYLE}</style>\n"
        f'<main>\n<h1>Sign-ins and what to mend</h1>\n<p class="soft">awslogin, {made}</p>\n'
        f"{body}</main>\n</html>\n"
    )


def _counts(report: Report) -> str:
    items = "".join(
        f'<li class="{severity}"><b>{count}</b>{NAMES[severity][: -1 if count == 1 else None]}</li>'
        for severity, count in report.summary.items()
    )
    return f'<ul class="counts">{items}</ul>\n'


def _pictures(report: Report) -> str:
    data = report.pictures
    days: dict[str, dict[str, int]] = defaultdict(dict)
    for row in data.get("sign_ins", []):
        days[str(row["day"])][str(row["kind"])] = int(row["count"])
    kinds = sorted({kind for of_day in days.values() for kind in of_day})
    uses: dict[str, dict[str, int]] = defaultdict(dict)
    for row in data.get("uses", []):
        uses[str(row["day"])][str(row["kind"])] = int(row["count"])
    keys = {str(row["who"]): int(row["count"]) for row in data.get("long_term_keys", [])}
    ages = {str(row["who"]): int(row["count"]) for row in data.get("key_ages", [])}
    severities = {NAMES[severity]: count for severity, count in report.summary.items() if count}
    drawn = [
        by_name(
            "Findings by severity",
            severities,
            "",
            {NAMES[severity]: severity for severity in ORDER},
        ),
        by_day("Sign-ins a day, by kind", days, kinds),
        by_day(
            "Calls by federated sessions and by long-term keys",
            uses,
            ("federated", "long-term key"),
        ),
        by_name("Who still uses long-term keys", keys, "calls"),
        by_name("Keys by age", ages, "days"),
    ]
    found = "".join(drawn)
    return f"<h2>At a glance</h2>\n{found}\n" if found else ""


def _findings(report: Report) -> Iterator[str]:
    yield "<h2>What to mend</h2>\n"
    if not report.findings:
        yield "<p>Nothing was found.</p>\n"
    for severity in ORDER:
        groups: dict[str, list[Finding]] = defaultdict(list)
        for finding in report.findings:
            if finding.severity == severity:
                groups[finding.id].append(finding)
        for rule_id, findings in groups.items():
            rule = RULES[rule_id]
            kind = f'<span class="soft">({severity})</span>'
            yield f'<h3 class="{severity}">{escape(rule.title)} {kind}</h3>\n'
            known = f" Also known as {escape(rule.reference)}." if rule.reference else ""
            yield f'<p class="soft">{escape(rule.why)}{known}</p>\n'
            rows = "".join(map(_row, findings))
            yield f"<table><thead><tr>{_HEAD}</tr></thead><tbody>{rows}</tbody></table>\n"


def _row(finding: Finding) -> str:
    seen = finding.evidence + (f" ({finding.count} times)" if finding.count > 1 else "")
    last = (finding.last_seen or "")[:16].replace("T", " ")
    texts = (finding.who, finding.account_id or "", seen, last)
    mend = f"<code>{isolated(finding.mend)}</code>"
    cells = zip(_COLUMNS, [*(isolated(text) if text else "" for text in texts), mend], strict=True)
    row = "".join(f'<td data-of="{name}">{cell}</td>' for name, cell in cells)
    return f"<tr>{row}</tr>"


def _rest(report: Report) -> Iterator[str]:
    yield "<h2>Where it comes from</h2>\n<ul>"
    for source in report.sources:
        window = f", {source.start} to {source.end}" if source.start else ""
        seen = f"{window}, {counted(source.events, 'event')}"
        notes = "".join(
            f'<br><span class="soft">{isolated(text)}</span>' for text in source.warnings
        )
        yield f"<li>{source.kind} {isolated(source.detail)}{seen}{notes}</li>"
    yield "</ul>\n"
    if report.silenced:
        yield "<h2>Silenced by the team</h2>\n<ul>"
        for finding, ignore in report.silenced:
            who, why = isolated(finding.who), isolated(ignore.reason)
            yield f"<li>{escape(finding.title)}: {who}, until {ignore.until}: {why}</li>"
        yield "</ul>\n"
