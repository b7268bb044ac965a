"""Why a sign-in in a browser failed: the browser's words, as failures of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.errors import (
    AwsLoginError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    UnexpectedReply,
)


def no_display() -> InteractionRequired:
    """There is no screen for a window."""
    return InteractionRequired(
        "a person must sign in in a browser window, and there is no display to open it on",
        hint="run it on a desktop, or forward a display (ssh -X)",
    )


def failure(outcome: Mapping[str, Any], program: str, host: str, patience: float) -> AwsLoginError:
    """What the browser's process told, as one of ours.

    Args:
        outcome: `outcome` is its kind, `why` the browser's own words.
        program: Which browser.
        host: Where the sign-in is.
        patience: Seconds that a person had.
    """
    why = str(outcome.get("why", ""))
    kind = outcome["outcome"]
    if kind == "closed":
        return LoginRefused("the browser was closed before the sign-in was done")
    if kind == "late":
        return LoginRefused(f"nobody signed in at {host} within {patience / 60:.0f} minutes")
    if kind == "unreachable":
        return _unreachable(why, host)
    if kind == "undisplayed":
        return no_display()
    return UnexpectedReply(
        f"{program} {'did not start' if kind == 'unstarted' else 'broke'}: {why or kind}",
        hint="start it by hand to see why, or name another one by `browser` or `executable`",
    )


def _unreachable(why: str, host: str) -> NetworkError:
    if "ERR_CERT" in why:
        return NetworkError(
            f"{host} shows a certificate that the browser does not trust",
            hint="add your organisation's CA to the trust store that the browser uses",
        )
    error = next((word.removeprefix("net::") for word in why.split() if "net::" in word), None)
    reason = error or ("no answer in time" if "Timeout" in why else why)
    return NetworkError(
        f"{host} does not serve the browser ({reason})",
        hint="check the network, the proxy and the address, then try again",
    )
