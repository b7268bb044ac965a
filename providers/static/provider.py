"""A user's own IAM keys: kept in the keychain, exchanged at STS for a session or a role.

Owns which call is made with which keys; codes, keychain entries and rotation have their own files.
Facts: AWS STS API Reference, GetSessionToken, AssumeRole and GetFederationToken: a role lasts over
an hour only when it is taken with long-lived keys, and a session taken with a code carries MFA for
the roles that demand it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from broker.durations import HOUR
from broker.errors import ConfigError
from broker.ports import Ports
from broker.ports.aws import credentials_of
from broker.provider import (
    Credentials,
    KeyHolder,
    Request,
    Rotation,
    access_key,
)
from broker.secret import Secret
from providers.static.codes import seed_entry
from providers.static.rotation import key_created, rotate
from providers.static.sessions import SESSION, WORTH_GIVING, UserSessions
from providers.static.store import KeyStore

if TYPE_CHECKING:
    from broker.provider import ProviderOptions


class Static(KeyHolder["ProviderOptions"]):
    """Exchanges a user's keys for a session or a role.

    It has no options of its own: the profile has `mfa_serial`, `mfa_process`.
    """

    def __init__(self, name: str, options: ProviderOptions, ports: Ports) -> None:
        super().__init__(name, options, ports)
        self._sessions = UserSessions(self.ports)

    @property
    def _store(self) -> KeyStore:
        return KeyStore(self.ports.secrets)

    @classmethod
    def check(cls, options: object, request: Request) -> str | None:
        """Security keys give no code that STS takes."""
        del options
        if request.mfa_serial and ":u2f/" in request.mfa_serial:
            return (
                f"mfa_serial {request.mfa_serial} is a security key, which gives no code for STS;"
                " register a TOTP device for this user and name that one"
            )
        return None

    @classmethod
    def cannot_narrow(cls, options: ProviderOptions, request: Request) -> str | None:
        """A role can be narrowed; the user's own session cannot."""
        del options
        return None if request.role_arn else "GetSessionToken takes no session policy"

    @classmethod
    def signs_with_a_session(cls, request: Request) -> bool:
        """With MFA, roles of up to an hour share one GetSessionToken, and so one code."""
        return request.mfa_serial is not None and (request.duration or HOUR) <= HOUR

    def login(self, request: Request) -> Credentials:
        """A session of the user, or the role that the request names."""
        keys = self._keys(request)
        if not request.role_arn:
            if request.policy or request.policy_arns:
                self.ports.ui.warn(
                    f"the policy of {request.profile} counts for `console` alone:"
                    " GetSessionToken takes none"
                )
            if request.mfa_serial and request.duration is None and not request.force:
                return self._sessions.with_mfa(keys, request, WORTH_GIVING)
            return self._sessions.session(keys, request, request.duration or SESSION)
        if self.signs_with_a_session(request):
            return self._sessions.role_by_mfa_session(keys, request)
        if not request.mfa_serial:
            return self._sessions.role_without_mfa(keys, request)
        return self._sessions.role_by_code(keys, request)

    def federate(self, request: Request) -> Credentials:
        """GetFederationToken: what the console takes of a user. MFA has no place in it."""
        if not request.policy and not request.policy_arns:
            raise ConfigError(
                f"{request.profile} is a user without a role: the console takes a user's own"
                " session only with a policy that says what it may do",
                hint="give the profile `policy` or `policy_arns`, name one with `--policy-arn`,"
                " or use a profile with a role",
            )
        name = re.sub(r"[^\w+=,.@-]", "-", request.session_name or "awslogin", flags=re.ASCII)
        arguments = {
            "Name": name[:32],
            "DurationSeconds": request.duration or SESSION,
            "Policy": request.policy,
            "PolicyArns": [{"arn": arn} for arn in request.policy_arns],
        }
        client = self.ports.aws.client("sts", request.region, self._keys(request))
        with self.ports.aws.errors("GetFederationToken"):
            return credentials_of(
                client.get_federation_token(**{k: v for k, v in arguments.items() if v})
            )

    def user_keys(self, profile: str) -> Credentials:
        """The user's own keys."""
        return self._store.require(profile)

    def held_keys(self, profile: str) -> Credentials | None:
        """The user's own keys, or None."""
        return self._store.keys(profile)

    def store_keys(self, profile: str, access_key_id: str, secret: Secret) -> None:
        """Put a user's keys into the keychain; an unfinished rotation of others is forgotten."""
        self._store.put(profile, Credentials(access_key_id, secret))
        self._store.end_rotation(profile)

    def forget_keys(self, profile: str) -> bool:
        """Remove a profile's keys and its TOTP seed; whether there were keys."""
        self.ports.secrets.delete(f"totp/{profile}")
        return self._store.forget(profile)

    def rotate_keys(
        self, request: Request, others: Sequence[str] = (), *, keep_inactive: bool = False
    ) -> Rotation:
        """New keys for old ones; IAM is asked with the MFA session where there is a device."""
        return rotate(
            self.ports,
            self._store,
            request,
            lambda _: self.signer(request),
            others,
            keep_inactive=keep_inactive,
        )

    def signer(self, request: Request) -> Credentials:
        """The MFA session where there is a device, else the keys."""
        keys = self.user_keys(request.keys_profile or request.profile)
        return self._sessions.with_mfa(keys, request) if request.mfa_serial else keys

    def key_created(self, request: Request) -> datetime | None:
        """When IAM made the keys; None where it does not say without MFA."""
        return key_created(self.ports, self._keys(request), request.region)

    def totp_entry(self, request: Request) -> str | None:
        """Beside the keys."""
        return seed_entry(request)

    def _keys(self, request: Request) -> Credentials:
        """The keys that sign; where there are none, a person may add them now."""
        profile = request.keys_profile or request.profile
        ui = self.ports.ui
        found = self.held_keys(profile)
        if found is None and ui.interactive and self.ports.secrets.has_keychain:
            about = f"The keychain holds no keys for {profile}."
            if ui.confirm("Add an access key now?", about=about):
                self.store_keys(profile, *_asked_for(self.ports, request.region))
        return found or self.user_keys(profile)


def _asked_for(ports: Ports, region: str) -> tuple[str, Secret]:
    """A pair that a person types, once AWS has taken it."""
    key_id = ports.ui.ask("Access key id")
    pair = access_key(key_id, ports.ui.ask("Secret access key", secret=True))
    ports.aws.caller_identity(Credentials(*pair), region)
    return pair
