"""What is kept of a profile's session, and what the person does next. Asks and contacts nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from broker.cli.app import App
from broker.cli.unasked import broker_that_asks_nobody
from broker.config import Profile
from broker.errors import InteractionRequired, KeychainError
from broker.login import SessionRequirements
from broker.render import duration_words


@dataclass(frozen=True)
class Kept:
    """What a next command would find.

    Attributes:
        file: The sealed session at rest, or None where there is none.
        fresh_until: Until when it is handed out, UTC; None where it is over, cannot be read, or is
            none.
        next_step: What the person does, as a sentence.
    """

    file: Path | None
    fresh_until: datetime | None
    next_step: str


def kept_of(app: App, profile: Profile) -> Kept:
    """What is kept of this profile's session, and the next step."""
    broker = broker_that_asks_nobody(app)
    min_ttl = SessionRequirements().min_ttl
    file = until = None
    try:
        session_id = broker.plugins.identity(profile).session_id
        path = broker.cache.file(session_id)
        file = path if path.exists() else None
        session = broker.cache.fresh(session_id, min_ttl)
    except KeychainError as error:
        step = f"the session cannot be read: {error.message}; {error.hint}"
    except InteractionRequired as error:
        step = f"{error.message}; {error.hint}"
    else:
        step = f"`awslogin login {profile.name}` signs in"
        until = session.fresh_until(min_ttl) if session else None
        if file and not broker.sealed.outlive_this_process:
            step = f"the session cannot be read without the keychain: {broker.keychain.mend}"
        elif until:
            left = duration_words((until - broker.clock.now()).total_seconds())
            step = f"nothing to do: the session is fresh for {left}"
    if not app.config.trusted:
        step = f"`awslogin config trust {app.config.path}`, once you have read it"
    return Kept(file, until, step)
