"""`doctor`: what is wrong on this machine, and the command that mends it."""

from __future__ import annotations

from pathlib import Path

import click

from broker.cli.app import App, command
from broker.cli.tables import is_coloured, wrapped
from broker.doctor import Finding, Machine, examine, exit_code
from broker.warm import working_directory

_MARKS = {"ok": "✓", "info": "·", "warning": "!", "error": "✗"}
_COLOURS = {"ok": "green", "info": "cyan", "warning": "yellow", "error": "red"}


@command()
@click.option("--fix", is_flag=True, help="Run the commands of awslogin's own, after showing them.")
@click.option("--only-wrong", is_flag=True, help="Show warnings and errors alone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def doctor(app: App, *, fix: bool, only_wrong: bool, yes: bool) -> int:
    """What is wrong on this machine, and the command that mends it."""
    machine = Machine(app.environ, Path(working_directory()), lambda: app.config)
    findings = examine(machine)
    if fix and _fixed(app, findings, yes=yes):
        machine = Machine(app.environ, Path(working_directory()), lambda: app.config)
        findings = examine(machine)
    if only_wrong:
        findings = [finding for finding in findings if finding.severity in {"warning", "error"}]
    if app.output == "json":
        app.say_json({"findings": [_as_json(finding) for finding in findings]})
    else:
        app.say_exactly("".join(f"{_as_text(finding)}\n" for finding in findings))
    return exit_code(findings)


def _fixed(app: App, findings: list[Finding], *, yes: bool) -> bool:
    """Run the mends that are ours, with consent; whether any ran."""
    ours = [finding for finding in findings if finding.fix]
    if not ours:
        return False
    about = "\n".join(finding.mend for finding in ours)
    if app.ui.interactive and not yes:
        if not app.ui.confirm("Run these?", about=about):
            return False
    else:
        app.note(about)
    for finding in ours:
        assert finding.fix
        finding.fix()
    return True


def _as_json(finding: Finding) -> dict[str, str]:
    names = ("id", "severity", "message", "mend")
    return {name: getattr(finding, name) for name in names}


def _as_text(finding: Finding) -> str:
    from broker.terminal_text import escape_controls, one_line

    lines = [wrapped(f"{_MARKS[finding.severity]} {finding.id}: {one_line(finding.message)}", "  ")]
    if finding.mend:
        lines.append(f"    → {escape_controls(finding.mend)}")  # unbroken, to be copied
    text = "\n".join(lines)
    colour = _COLOURS[finding.severity]
    return click.style(text[:1], fg=colour) + text[1:] if is_coloured() else text
