"""The question of trust: the file or what changed in it, then what it does. Owns that page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from broker.cli.change import diff
from broker.config.consequences import consequences
from broker.config.trust import Subject, Trust

if TYPE_CHECKING:
    from broker.ports.ui import Ui


def trusted_now(ui: Ui, environ: Mapping[str, str], subject: Subject) -> bool:
    """Offer a file for trust at its first use; whether the person trusts it now."""
    trust = Trust(environ)
    agreed = agreed_to_trust(ui, trust, subject)
    if agreed:
        trust.add(subject)
    return agreed


def agreed_to_trust(ui: Ui, trust: Trust, subject: Subject) -> bool:
    """Show it and ask; of a file that was trusted before, the difference is shown.

    What it does stands last, decoded, so that nothing in the file can push it off the screen.
    """
    before = trust.before(subject.path)
    text = subject.content.decode("utf-8", errors="replace")
    if before is not None and before != subject.content:
        text = f"Changed since you trusted it:\n{diff(subject.path, before, subject.content)}"
    for path, content in subject.extended.items():
        text = f"{text.rstrip()}\n\n# {path}\n{content.decode('utf-8', errors='replace')}"
    if subject.document.data is None:
        text = f"{text.rstrip()}\nIt is no config that works: `awslogin config check` says why\n"
    *first, last = consequences(subject.document)
    above = f"{text.rstrip()}\n\n"
    for part in first:
        if not ui.confirm("There is more of it. Go on?", about=above + part):
            return False
        above = ""
    return ui.confirm(f"Trust {subject.path} as it is shown?", about=above + last)
