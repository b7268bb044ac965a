"""The ids of sign-ins and sessions. Pure: same values, same ids, in every version.

A sign-in id names who signs in, where, by which provider: sessions of one sign-in share a lock and
what their provider remembers. A session id names all that shapes a session. Both are names in the
cache, so a change here makes everybody sign in anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.fingerprint import fingerprint

if TYPE_CHECKING:
    from broker.config import Profile, ProviderSpec


@dataclass(frozen=True)
class Identity:
    """A profile with the provider that runs for it, and the ids of its sign-in and session."""

    profile: Profile
    spec: ProviderSpec
    sign_in_id: str
    session_id: str

    @property
    def label(self) -> str:
        """What is signed in to, for messages."""
        return f"{self.spec.name} for {self.profile.name}"


def sign_in_id(
    spec: ProviderSpec,
    environ: Mapping[str, str],
    *,
    team: str,
    keys_profile: str | None,
    mfa_serial: str | None,
    signs_in_for: str | None = None,
) -> str:
    """Names the sign-in by a provider.

    Args:
        spec: The provider.
        environ: Says the user's name, the endpoints, and at some providers who signs in.
        team: Whose provider, or whose static keys, this is.
        keys_profile: The static profile whose keys sign, else None.
        mfa_serial: The MFA device that signs with them, else None.
        signs_in_for: What of a profile makes its sign-in another one, else None.
    """
    suffix = spec.name.upper().replace("-", "_")
    username = environ.get(f"AWSLOGIN_USERNAME_{suffix}") or environ.get("AWSLOGIN_USERNAME")
    own = spec.options.sign_in(
        team=team, keys=keys_profile, mfa_serial=mfa_serial, username=username
    )
    endpoints = {name: environ[name] for name in environ if name.startswith("AWS_ENDPOINT_URL")}
    named = {
        "provider": spec.name,
        "type": spec.type,
        "sign_in": own,
        "signs_in_as": spec.plugin.signs_in_as(spec.options, environ),
        "endpoints": endpoints,
    }
    return fingerprint(named | ({"for": signs_in_for} if signs_in_for else {}))


def session_id(profile: Profile, sign_in_id: str) -> str:
    """Names the session of a profile, whose sources all stand on the same sign-in."""
    return fingerprint(
        {
            "sign_in": sign_in_id,
            "profile": profile.name,
            "source": session_id(profile.source, sign_in_id) if profile.source else None,
            **vars(profile.role_parameters),
        }
    )
