"""What a report is made of: findings, the sources they come from, and what is silenced."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal

from broker.config.report_settings import Ignore

Severity = Literal["info", "warning", "error"]
ORDER: tuple[Severity, ...] = ("error", "warning", "info")
"""The worst first."""


@dataclass(frozen=True)
class Rule:
    """What is looked for.

    Attributes:
        id: Its name, as `ignore` takes it.
        severity: Of its findings.
        source: `machine`, `credential-report` or `cloudtrail`.
        title: What was found, in a few words.
        why: Why it matters, in a sentence.
        mend: The command that mends it, or what to do; `{who}` and `{profile}` are filled in.
        reference: Its counterpart among public rule sets; empty where there is none.
        where: Of `cloudtrail`: SQL that is true of each single event that is found; or else
        sql: A query over `events`, which it reads once, giving who, account_id, first_seen,
            last_seen, count and evidence.
        who: SQL of who is found by `where`; empty means the event's principal.
        evidence: Likewise, the value of which the least is shown; empty means the event's name.
    """

    id: str
    severity: Severity
    source: str
    title: str
    why: str
    mend: str
    reference: str = ""
    where: str = ""
    sql: str = ""
    who: str = ""
    evidence: str = ""


@dataclass(frozen=True)
class Finding:
    """One rule's finding about one person, key, role or address in one account.

    Attributes:
        first_seen: UTC, as text; None where the source has no time.
        count: How many events or facts stand behind it.
        evidence: What was seen, in words.
    """

    id: str
    severity: Severity
    title: str
    who: str
    account_id: str | None
    mend: str
    reference: str
    first_seen: str | None = None
    last_seen: str | None = None
    count: int = 1
    evidence: str = ""

    @classmethod
    def of(
        cls,
        rule: Rule,
        who: str,
        account_id: str | None,
        *,
        profile: str = "PROFILE",
        evidence: str = "",
        first_seen: str | None = None,
        last_seen: str | None = None,
        count: int = 1,
    ) -> Finding:
        """A finding of a rule; in a command the names are quoted, whatever they are."""
        quoted = shlex.quote if rule.mend.startswith(("aws ", "awslogin ")) else str
        mend = rule.mend.replace("{profile}", quoted(profile)).replace("{who}", quoted(who))
        return cls(
            rule.id, rule.severity, rule.title, who, account_id, mend, rule.reference,
            first_seen, last_seen, count, evidence,
        )  # fmt: skip

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two findings the same."""
        return self.id, self.who, self.account_id or ""


@dataclass
class Source:
    """Where findings come from.

    Attributes:
        kind: `machine`, `credential-report`, `cloudtrail` or `athena`.
        detail: Which one.
        start: The first moment looked at, UTC, as text; None where there is no window.
        end: The last.
        events: Events in the window.
        warnings: What could not be read, and why.
        failed: Nothing of it could be read.
    """

    kind: str
    detail: str
    start: str | None = None
    end: str | None = None
    events: int = 0
    warnings: list[str] = field(default_factory=list)
    failed: bool = False


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for a rule and who in an account, the worst rules first.

    They come in any order: of several the first and last moment and the least evidence are kept.
    """
    found: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        other = found.get(finding.key)
        if other is None:
            found[finding.key] = finding
            continue
        firsts = [each.first_seen for each in (other, finding) if each.first_seen]
        lasts = [each.last_seen for each in (other, finding) if each.last_seen]
        found[finding.key] = replace(
            other,
            count=other.count + finding.count,
            evidence=min(filter(None, (other.evidence, finding.evidence)), default=""),
            first_seen=min(firsts, default=None),
            last_seen=max(lasts, default=None),
        )
    return sorted(found.values(), key=lambda finding: (ORDER.index(finding.severity), finding.key))


def without_silenced(
    findings: Iterable[Finding], ignores: Iterable[Ignore], today: date
) -> tuple[list[Finding], list[tuple[Finding, Ignore]]]:
    """The findings that stand, and the silenced ones; an entry whose day is over silences none."""
    holding = [ignore for ignore in ignores if ignore.until >= today]
    standing: list[Finding] = []
    silenced: list[tuple[Finding, Ignore]] = []
    for finding in findings:
        found = next(
            (
                ignore
                for ignore in holding
                if ignore.rule == finding.id and fnmatchcase(finding.who, ignore.who)
            ),
            None,
        )
        if found:
            silenced.append((finding, found))
        else:
            standing.append(finding)
    return standing, silenced
