"""Names of sessions, and of who is behind them, as STS takes them."""

from __future__ import annotations

import re

SESSION_NAME = r"[A-Za-z0-9_+=,.@-]{2,64}"
"""STS API Reference, RoleSessionName and SourceIdentity."""


def in_session_letters(text: str) -> str:
    """A user's name in the letters that STS takes as SourceIdentity."""
    return re.sub(r"[^\w+=,.@-]", "-", text, flags=re.ASCII)[:64]


def as_session_name(text: str) -> str:
    """A user's name as a RoleSessionName; what is too short for one is `awslogin`."""
    name = in_session_letters(text)
    return name if len(name) > 1 else "awslogin"


CLEANED = {"session_name": as_session_name, "source_identity": in_session_letters}
"""What makes a value valid in which a variable was filled in."""
