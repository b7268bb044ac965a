"""Who stands behind a principal: a person and a profile, where ours or AWS's own words tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from broker.config import Profile

_ROLE = re.compile(r"arn:[a-z-]+:sts::([0-9]{12}):assumed-role/([^/]+)/(.+)")
_USER = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:user/(?:.*/)?([^/]+)")
_USER_ID = re.compile(r"(?:[0-9a-f]{10}-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Of Identity Center: all that its own events tell of a person."""
_ROLE_ID = re.compile(r"(AROA[A-Z0-9]+):(.+)")
_IDENTITY_CENTER = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")


NAMES = (
    "SELECT arn, min(source_identity) AS source_identity, min(on_behalf_of) AS user_id FROM events"
    " WHERE arn IS NOT NULL AND (source_identity IS NOT NULL OR on_behalf_of IS NOT NULL)"
    " GROUP BY arn HAVING count(DISTINCT source_identity) < 2 AND count(DISTINCT on_behalf_of) < 2"
)
"""A query for what events tell of the person behind a principal, where it is one person."""


class People:
    """Reads principals as people.

    Args:
        profiles: Of the team's config: which profile takes which role of which account.
    """

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._profiles: dict[tuple[str, str], str] = {}
        self._names: dict[str, str] = {}
        for profile in profiles:
            name = (profile.role_arn or profile.role or "").rpartition("/")[2]
            if profile.account and name:
                self._profiles.setdefault((profile.account, name), profile.name)

    def profile_of(self, arn: str | None) -> str | None:
        """The profile that takes this session's role."""
        found = _ROLE.fullmatch(arn or "")
        if not found:
            return None
        account, role, _ = found.groups()
        permission_set = _IDENTITY_CENTER.fullmatch(role)
        return self._profiles.get((account, permission_set[1] if permission_set else role))

    def learn(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take names from what `NAMES` finds.

        A SourceIdentity is the person. Identity Center's user id gets its name from a session that
        it stands behind: Identity Center names sessions after their users.
        """
        for row in rows:
            session = _ROLE.fullmatch(str(row["arn"]))
            if row["source_identity"]:
                self._names[str(row["arn"])] = str(row["source_identity"])
            if row["user_id"] and session and _IDENTITY_CENTER.fullmatch(session[2]):
                self._names[str(row["user_id"])] = session[3]

    def readable(self, who: str | None) -> str:
        """`ann, by profile prod`, a user's name, `root`; else what is given.

        Args:
            who: An ARN, a user id of Identity Center, or what is no principal.
        """
        if not who:
            return "unknown"
        if who.endswith(":root"):
            return "root"
        user, session, of_role = _USER.fullmatch(who), _ROLE.fullmatch(who), _ROLE_ID.fullmatch(who)
        if user:
            return user[1]
        if session:
            profile = self.profile_of(who)
            by = f"by profile {profile}" if profile else f"as {session[2]}"
            return f"{self._names.get(who, session[3])}, {by}"
        if of_role:
            return f"{of_role[2]}, as {of_role[1]}"
        unnamed = f"Identity Center's user {who}" if _USER_ID.fullmatch(who) else who
        return self._names.get(who, unnamed)
