"""The person's leave to hand out a session, where their settings want to be asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.errors import InteractionRequired, LoginRefused
from broker.settings import settings
from broker.shells import calling_program

if TYPE_CHECKING:
    from broker.cli.app import App
    from broker.config import Profile


def is_confirmed(app: App, profile: Profile) -> bool:
    """Whether the person was asked for leave, and gave it; the agent then holds no session.

    Raises:
        InteractionRequired: The person's settings ask for it, and nobody can be asked.
        LoginRefused: They said no.
    """
    if not settings(app.environ).confirms(profile.tags):
        return False
    if not app.ui.interactive:
        raise InteractionRequired(
            f"your settings ask before the session of {profile.name} is handed out",
            hint=f"`awslogin login {profile.name}` on a terminal; the setting: `agent_confirm`",
        )
    if not app.ui.confirm(f"Hand out the session of {profile.name} to {calling_program()}?"):
        raise LoginRefused(f"the session of {profile.name} was not handed out: you said no")
    app.broker.agent.hold_nothing()
    return True
