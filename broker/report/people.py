"""Who stands behind a principal: a person and a profile, where ours or AWS's own words tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from broker.config import Profile

_ROLE = re.compile(r"arn:[a-z-]+:sts::([0-9]{12}):assumed-role/([^/]+)/(.+)")
_USER = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:user/(?:.*/)?([^/]+)")
_IDENTITY_CENTER = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")


class People:
    """Reads principals as people.

    Args:
        profiles: Of the team's config: which profile takes which role of which account.
    """

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._profiles: dict[tuple[str, str], str] = {}
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

    def readable(self, arn: str | None, known: Mapping[str, str] | None = None) -> str:
        """`ann, by profile prod`, a user's name, `root`; else the ARN itself.

        Args:
            arn: The principal.
            known: Persons by ARN, where SourceIdentity or Identity Center names them.
        """
        if not arn:
            return "unknown"
        if arn.endswith(":root"):
            return "root"
        user = _USER.fullmatch(arn)
        if user:
            return user[1]
        session = _ROLE.fullmatch(arn)
        if not session:
            return arn
        person = (known or {}).get(arn) or session[3]
        profile = self.profile_of(arn)
        return f"{person}, by profile {profile}" if profile else f"{person}, as {session[2]}"
