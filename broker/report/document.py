"""The whole report: findings, silenced ones, sources, a summary, the numbers of its pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from broker.config.report_settings import Ignore
from broker.ports.clock import to_text
from broker.report import credential_report, machine, trail_rules
from broker.report.finding import ORDER, Finding, Rule, Severity, Source

VERSION = 1
RULES: Mapping[str, Rule] = {
    rule.id: rule for rule in (*machine.RULES, *credential_report.RULES, *trail_rules.RULES)
}
"""Every rule, by its id."""


@dataclass
class Report:
    """What was found.

    Attributes:
        generated_at: When, UTC.
        sources: Where from.
        findings: The worst first.
        silenced: With the entry that silences each.
        pictures: Name of a picture → its numbers, for the page.
    """

    generated_at: datetime
    sources: list[Source]
    findings: list[Finding]
    silenced: list[tuple[Finding, Ignore]]
    pictures: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def summary(self) -> dict[str, int]:
        """Findings by severity."""
        counts = Counter(finding.severity for finding in self.findings)
        return {severity: counts[severity] for severity in ORDER}

    def at_least(self, severity: Severity) -> list[Finding]:
        """The findings of this severity or a worse one."""
        bad = ORDER[: ORDER.index(severity) + 1]
        return [finding for finding in self.findings if finding.severity in bad]

    def to_json(self) -> dict[str, Any]:
        """As it is published."""
        return {
            "version": VERSION,
            "generated_at": to_text(self.generated_at),
            "sources": [_source(source) for source in self.sources],
            "silenced": [
                asdict(finding) | {"reason": ignore.reason, "until": ignore.until.isoformat()}
                for finding, ignore in self.silenced
            ],
            "findings": [asdict(finding) for finding in self.findings],
            "summary": self.summary,
        }


def not_in(findings: Iterable[Finding], baseline: Mapping[str, Any]) -> list[Finding]:
    """The findings that an earlier report, as `to_json` printed it, does not hold.

    Raises:
        ValueError: It is no report.
    """
    try:
        held = {
            (finding["id"], finding["who"], finding["account_id"] or "")
            for finding in [*baseline["findings"], *baseline.get("silenced", [])]
        }
    except (KeyError, TypeError) as error:
        raise ValueError("no report of awslogin") from error
    return [finding for finding in findings if finding.key not in held]


def _source(source: Source) -> dict[str, Any]:
    return {
        "kind": source.kind,
        "detail": source.detail,
        "from": source.start,
        "to": source.end,
        "events": source.events,
        "warnings": source.warnings,
    }
