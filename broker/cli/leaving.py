"""Inside a narrowed session no other one is handed out without the person's word.

It stops a program that calls us, knowing of nothing, as AWS SDKs do for `credential_process`; on
Linux one that changes its environment as well. It cannot stop one that cuts itself off from the
processes it stems from, or reads what the person can read: that needs another user or a container.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from broker.agent.ancestors import narrowed_above
from broker.errors import InteractionRequired, LoginRefused

if TYPE_CHECKING:
    from broker.ports.ui import Ui


@cache
def require_leave(ui: Ui) -> None:
    """The person lets us out of the narrowed session that we run in, if we do; asked once.

    Raises:
        InteractionRequired: Nobody can be asked.
        LoginRefused: They said no.
    """
    from broker.environment import NARROWED

    outer = os.environ.get(NARROWED) or narrowed_above(os.getppid())
    if not outer:
        return
    inside = f"this runs inside a narrowed session of {outer}"
    if not ui.interactive:
        raise InteractionRequired(
            f"{inside}, where no other session is handed out",
            hint="a person gets one in a terminal outside of it",
        )
    if not ui.confirm(f"{inside[0].upper()}{inside[1:]}. Use more than it here?"):
        raise LoginRefused(f"{inside}, and you said no to more")
