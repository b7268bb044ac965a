"""What is kept of a profile's session, what a login would do, and what the person does next.

Asks nobody, and contacts nobody but the person's own agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from broker.broker import Broker
from broker.cli.app import App
from broker.cli.unasked import broker_that_asks_nobody
from broker.config import Profile
from broker.errors import AwsLoginError, InteractionRequired, KeychainError
from broker.login import SessionRequirements
from broker.time_left import duration_words


@dataclass(frozen=True)
class Step:
    """One step to a session: the sign-in, or a role that is taken with the session before it.

    Attributes:
        profile: Whose session it gives.
        what: The step, in words.
        fresh_until: Until when its session is kept and handed out, UTC, or None.
        runs: Whether a login would take it now.
    """

    profile: str
    what: str
    fresh_until: datetime | None
    runs: bool


@dataclass(frozen=True)
class SessionState:
    """What a next command would find of a profile's session.

    Attributes:
        file: The sealed session at rest, or None where there is none.
        in_agent: Whether the agent holds the session, so that commands get it at once.
        fresh_until: Until when it is handed out, UTC; None where it is over, cannot be read, or is
            none.
        steps: The way to a session, from the sign-in on.
        next_step: What the person does, as a sentence.
    """

    file: Path | None
    in_agent: bool
    fresh_until: datetime | None
    steps: tuple[Step, ...]
    next_step: str


def session_state(app: App, profile: Profile) -> SessionState:
    """This profile's session at rest and in the agent, and the person's next step."""
    broker = broker_that_asks_nobody(app)
    file = until = None
    in_agent = False
    try:
        session_id = broker.plugins.identity(profile).session_id
        path = broker.cache.file(session_id)
        file = path if path.exists() else None
        in_agent = broker.agent.holds(session_id)
        until = _fresh_until(broker, profile)
    except KeychainError as error:
        step = f"the session cannot be read: {error.message}; {error.hint}"
    except InteractionRequired as error:
        step = f"{error.message}; {error.hint}"
    else:
        step = f"`awslogin login {profile.name}` signs in"
        if file and not broker.sealed.outlive_this_process:
            step = f"the session cannot be read without the keychain: {broker.keychain.mend}"
        elif until:
            left = duration_words((until - broker.clock.now()).total_seconds())
            step = f"nothing to do: the session is fresh for {left}"
    if not app.config.trusted:
        step = f"`awslogin config trust {app.config.path}`, once you have read it"
    return SessionState(file, in_agent, until, tuple(_steps(broker, profile, until)), step)


def _steps(broker: Broker, profile: Profile, until: datetime | None) -> list[Step]:
    """From the sign-in to the profile; what stands behind a fresh session does not run."""
    steps = [Step(profile.name, _what(broker, profile), until, runs=until is None)]
    earlier = profile
    while earlier.is_chained and earlier.source:
        earlier = earlier.source
        try:
            until = _fresh_until(broker, earlier)
        except AwsLoginError:  # none of its providers can work here, or the keychain is locked
            until = None
        runs = steps[-1].runs and until is None
        steps.append(Step(earlier.name, _what(broker, earlier), until, runs))
    return steps[::-1]


def _fresh_until(broker: Broker, profile: Profile) -> datetime | None:
    min_ttl = SessionRequirements().min_ttl
    session = broker.cache.fresh(broker.plugins.identity(profile).session_id, min_ttl)
    return session.fresh_until(min_ttl) if session else None


def _what(broker: Broker, profile: Profile) -> str:
    if profile.is_chained and profile.source:
        return f"AssumeRole {profile.role_arn} with the session of {profile.source.name}"
    spec = broker.plugins.likely_spec(profile)
    return f"a sign-in by {spec.name} ({spec.type})"
