"""The report as SARIF 2.1.0, for code scanning. Source: OASIS SARIF 2.1.0."""

from __future__ import annotations

import hashlib
from typing import Any

from broker import __version__
from broker.report.document import RULES, Report
from broker.report.finding import Finding, Rule

FILE = "awslogin.yaml"
"""GitHub's code scanning refuses a result without a file: that in which it would be silenced."""
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def as_sarif(report: Report) -> dict[str, Any]:
    """The document; a finding's place is its account and who it is about, in the team's YAML."""
    used = [RULES[name] for name in dict.fromkeys(finding.id for finding in report.findings)]
    index = {rule.id: number for number, rule in enumerate(used)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "awslogin",
                        "semanticVersion": __version__,
                        "rules": [_rule(rule) for rule in used],
                    }
                },
                "results": [_result(finding, index) for finding in report.findings],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.mend},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
    }


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    place = f"{finding.account_id or 'this-machine'}/{finding.who}"
    digest = hashlib.sha256("\0".join(finding.key).encode()).hexdigest()
    text = f"{finding.title}: {finding.who}"
    return {
        "ruleId": finding.id,
        "ruleIndex": index[finding.id],
        "level": LEVELS[finding.severity],
        "message": {"text": f"{text}. Mend: {finding.mend}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": FILE},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": place, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"awsloginFinding/v1": digest},
        "properties": {"count": finding.count, "evidence": finding.evidence},
    }
