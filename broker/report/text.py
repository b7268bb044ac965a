"""The report for a terminal: by severity, then by what mends it, at most a screen."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import click

from broker.report.document import RULES, Report
from broker.report.finding import ORDER, Finding
from broker.terminal_text import counted, one_line

MARKS = {"error": "✗", "warning": "!", "info": "·"}
COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}
DETAILS = ((6, 3), (3, 1), (1, 1), (0, 0))
"""Names and mends that are shown of a rule: the most that a screen takes."""


@dataclass(frozen=True)
class Screen:
    """Where the report is read.

    Attributes:
        lines: That are seen at once.
        columns: Letters of a line that are; None where it goes to a file or a pipe.
        colours: Whether it shows them.
    """

    lines: int = 24
    columns: int | None = None
    colours: bool = False


def as_text(report: Report, screen: Screen, *, everything: bool) -> str:
    """The report as lines.

    Args:
        report: It.
        screen: Where it is read.
        everything: All of it, with the reasons; else what fits the screen.
    """
    most = len(report.findings)
    if everything:
        lines = [*_lines(report, most, most, why=True), *_sources(report), *_ending(report)]
        return "".join(_line(line, None, colours=screen.colours) for line in lines)
    left = screen.lines - 1 - len(ending := _ending(report))  # the prompt takes a line
    sources = _cut(_sources(report), left // 3)
    for names, mends in DETAILS:
        found = _lines(report, names, mends, why=False)
        if len(found) <= left - len(sources):
            break
    lines = [*_cut(found, left - len(sources)), *sources, *ending]
    return "".join(_line(line, screen.columns, colours=screen.colours) for line in lines)


def _cut(lines: list[str], most: int) -> list[str]:
    """The lines, or as many as fit beside a word on those that do not."""
    if len(lines) <= most:
        return lines
    shown = max(most - 1, 0)
    return [*lines[:shown], f"… {len(lines) - shown} more lines: --verbose, or --format html"]


def _line(text: str, columns: int | None, *, colours: bool) -> str:
    """A line of the output, cut to the screen; its mark has a colour."""
    if columns and len(text) > columns:
        text = f"{text[: columns - 1]}…"
    severity = next((each for each, mark in MARKS.items() if text.startswith(f"{mark} ")), None)
    if colours and severity:
        text = click.style(text[:1], fg=COLOURS[severity]) + text[1:]
    return f"{text}\n"


def _lines(report: Report, names: int, mends: int, *, why: bool) -> list[str]:
    """The findings by severity, then by rule."""
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in sorted(report.findings, key=lambda finding: ORDER.index(finding.severity)):
        groups[finding.id].append(finding)
    lines = []
    for rule_id, findings in groups.items():
        rule = RULES[rule_id]
        lines.append(f"{MARKS[rule.severity]} {rule.title} ({rule_id}, {len(findings)})")
        lines += [f"    {rule.why}"] if why else []
        lines += [f"    {one_line(_about(finding))}" for finding in findings[:names]]
        if 0 < names < len(findings):
            lines.append(f"    … {len(findings) - names} more")
        found = dict.fromkeys(finding.mend for finding in findings[:names])
        lines += [f"    → {one_line(mend)}" for mend in list(found)[:mends]]
    return lines


def _about(finding: Finding) -> str:
    parts = [finding.who, finding.account_id or "", finding.evidence]
    parts += [f"{finding.count} times"] if finding.count > 1 else []
    parts += [f"last {finding.last_seen}"] if finding.last_seen else []
    return "  ".join(part for part in parts if part)


def _sources(report: Report) -> list[str]:
    lines = []
    for source in report.sources:
        seen = f", {counted(source.events, 'event')}" if source.events else ""
        lines.append(f"from {source.kind} {one_line(source.detail)}{seen}".rstrip())
        lines += [f"  ! {one_line(warning)}" for warning in source.warnings]
    return lines


def _ending(report: Report) -> list[str]:
    silenced = len(report.silenced)
    counts = ", ".join(f"{count} {severity}" for severity, count in report.summary.items())
    return [*([f"{silenced} silenced by the team's YAML"] if silenced else []), counts]
