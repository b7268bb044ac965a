"""The questions of trust: whether a repository is contacted, and the page of what a file does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from broker.cli.change import diff
from broker.config.consequences import consequences, shown_host
from broker.config.extending import Consent
from broker.config.trust import Subject, Trust
from broker.errors import InteractionRequired

if TYPE_CHECKING:
    from broker.cli.app import App
    from broker.ports.git_reference import Reference
    from broker.ports.ui import Ui


def consent_to_fetch(app: App, *, yes: bool) -> Consent:
    """Asks before a host is contacted, once a host; without a person the command typed is consent.

    Raises:
        InteractionRequired: By the consent: the person says no.
    """
    agreed: set[str] = set()

    def consent(reference: Reference) -> None:
        host = shown_host(reference.host)
        if not host or host in agreed:
            return
        if yes or not app.ui.interactive:
            app.note(f"fetching {reference.url} from {host}")
        elif not app.ui.confirm(f"Contact {host}?", about=f"{reference} is to be fetched."):
            raise InteractionRequired(
                f"{reference.url} has not been fetched: {host} was not to be contacted",
                hint="take it out of `extends`, or agree to it",
            )
        agreed.add(host)

    return consent


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
