"""Which profile, where none is named: the person picks, those first that they use most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from broker.events import EventLog
from broker.ports.candidates import Candidate
from broker.ports.picker import pick

if TYPE_CHECKING:
    from broker.config import Config
    from broker.ports.ui import Ui


def picked_profile(ui: Ui, config: Config, environ: Mapping[str, str]) -> str:
    """The name of the profile that the person picks.

    Raises:
        InteractionRequired: Several, and nobody can be asked.
        KeyboardInterrupt: The person left.
    """
    uses = EventLog(environ).uses()
    names = sorted(config.names, key=lambda name: -uses[name])  # equals stay in the file's order
    candidates = [Candidate(name, *config.labels(name)) for name in names]
    return pick(ui, "Which profile?", candidates, environ).name
