"""The report for a terminal: by severity, then by what mends it, at most a screen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import click

from broker.report.document import RULES, Report
from broker.report.finding import ORDER, Finding
from broker.terminal_text import counted, one_line

MARKS = {"error": "✗", "warning": "!", "info": "·"}
COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}
SCREEN_LINES = 40
NAMES_SHOWN = 6


def as_text(report: Report, *, colours: bool, everything: bool) -> str:
    """The report as lines.

    Args:
        report: It.
        colours: Whether it goes to a terminal.
        everything: All of it, with the reasons; else what fits a screen.
    """
    lines = list(_lines(report, colours=colours, everything=everything))
    if not everything and len(lines) > SCREEN_LINES:
        left = len(lines) - SCREEN_LINES
        lines = [*lines[:SCREEN_LINES], f"… {left} more lines: --verbose, or --format html"]
    return "".join(f"{line}\n" for line in [*lines, *_ending(report)])


def _lines(report: Report, *, colours: bool, everything: bool) -> Iterator[str]:
    for severity in ORDER:
        groups: dict[str, list[Finding]] = defaultdict(list)
        for finding in report.findings:
            if finding.severity == severity:
                groups[finding.id].append(finding)
        for rule_id, findings in groups.items():
            mark = MARKS[severity]
            mark = click.style(mark, fg=COLOURS[severity]) if colours else mark
            yield f"{mark} {findings[0].title} ({rule_id}, {len(findings)})"
            if everything:
                yield f"    {RULES[rule_id].why}"
            shown = findings if everything else findings[:NAMES_SHOWN]
            for finding in shown:
                yield f"    {one_line(_about(finding))}"
            if len(shown) < len(findings):
                yield f"    … {len(findings) - len(shown)} more"
            for mend in sorted({finding.mend for finding in shown})[:3]:
                yield f"    → {one_line(mend)}"


def _about(finding: Finding) -> str:
    parts = [finding.who, finding.account_id or "", finding.evidence]
    parts += [f"{finding.count} times"] if finding.count > 1 else []
    parts += [f"last {finding.last_seen}"] if finding.last_seen else []
    return "  ".join(part for part in parts if part)


def _ending(report: Report) -> Iterator[str]:
    for source in report.sources:
        seen = f", {counted(source.events, 'event')}" if source.events else ""
        yield f"from {source.kind} {one_line(source.detail)}{seen}".rstrip()
        for warning in source.warnings:
            yield f"  ! {one_line(warning)}"
    if report.silenced:
        yield f"{len(report.silenced)} silenced by the team's YAML"
    counts = ", ".join(f"{count} {severity}" for severity, count in report.summary.items())
    yield counts
