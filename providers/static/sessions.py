"""A user's own sessions (GetSessionToken), and the one with MFA that serves all roles of the keys.

Source: AWS STS API Reference, GetSessionToken: a session taken with a code carries MFA for the
roles that demand it.
"""

from __future__ import annotations

import threading
from datetime import timedelta

from broker.durations import HOUR
from broker.errors import LoginRefused, RoleRefused
from broker.ports import Ports
from broker.ports.aws import credentials_of
from broker.ports.clock import from_text, to_text
from broker.provider import Credentials, Request
from broker.secret import Secret
from providers.static.codes import Codes

SESSION = 12 * HOUR
"""Seconds; AWS's own default for GetSessionToken."""
USABLE = timedelta(minutes=1)
"""What must be left of the MFA session for one more AssumeRole."""
WORTH_GIVING = timedelta(hours=1)
"""What must be left of it to be given out as the user's session."""


class UserSessions:
    """The sessions of one provider's users; one code at a time is asked for and sent."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._one_code_at_a_time = threading.RLock()

    def role_without_mfa(self, keys: Credentials, request: Request) -> Credentials:
        """A role with the keys alone; where it is refused, MFA may be what it asks for."""
        try:
            return self._ports.aws.assume_role(keys, request)
        except RoleRefused as error:
            error.hint = f"{error.hint}; if it asks for MFA, set `mfa_serial`".lstrip("; ")
            raise

    def role_by_code(self, keys: Credentials, request: Request) -> Credentials:
        """A role that lasts longer than an hour: with the keys, and a code of its own."""
        with self._one_code_at_a_time:
            return Codes(self._ports, request).use(
                lambda code: self._ports.aws.assume_role(keys, request, mfa_code=code)
            )

    def role_by_mfa_session(self, keys: Credentials, request: Request) -> Credentials:
        """The role; a kept session that AWS does not take any more is replaced once."""
        stored = self._ports.secrets.recall("mfa-session") or {}
        session = self.with_mfa(keys, request)
        try:
            return self._ports.aws.assume_role(session, request)
        except LoginRefused:
            if session.access_key_id != stored.get("access_key_id"):
                raise
        session = self.with_mfa(keys, request, instead_of=session)
        return self._ports.aws.assume_role(session, request)

    def with_mfa(
        self,
        keys: Credentials,
        request: Request,
        least: timedelta = USABLE,
        instead_of: Credentials | None = None,
    ) -> Credentials:
        """The user's session with MFA: the one that still holds, else one for a code.

        Args:
            keys: The user's own.
            request: The device.
            least: What must be left of it.
            instead_of: One that AWS refused.
        """
        refused = instead_of.access_key_id if instead_of else None
        with self._one_code_at_a_time:
            stored = self._ports.secrets.recall("mfa-session")
            if (
                not stored
                or stored["access_key_id"] == refused
                or from_text(stored["expires_at"]) - self._ports.clock.now() <= least
            ):
                return self.session(keys, request, SESSION)
        return Credentials(
            access_key_id=stored["access_key_id"],
            secret_access_key=Secret(stored["secret_access_key"]),
            session_token=Secret(stored["session_token"]),
            expires_at=from_text(stored["expires_at"]),
        )

    def session(self, keys: Credentials, request: Request, duration: int) -> Credentials:
        """GetSessionToken; the longest with MFA is kept, for it serves all roles of these keys."""
        if not request.mfa_serial:
            return self._get_session_token(keys, request, duration, None)
        with self._one_code_at_a_time:
            session = Codes(self._ports, request).use(
                lambda code: self._get_session_token(keys, request, duration, code)
            )
        assert session.session_token
        assert session.expires_at
        document = {
            "access_key_id": session.access_key_id,
            "secret_access_key": session.secret_access_key.reveal(),
            "session_token": session.session_token.reveal(),
            "expires_at": to_text(session.expires_at),
        }
        stored = self._ports.secrets.recall("mfa-session")
        if not stored or from_text(stored["expires_at"]) < session.expires_at:
            self._ports.secrets.remember("mfa-session", document, until=session.expires_at)
        return session

    def _get_session_token(
        self, keys: Credentials, request: Request, duration: int, code: str | None
    ) -> Credentials:
        mfa = {"SerialNumber": request.mfa_serial, "TokenCode": code} if code else {}
        client = self._ports.aws.client("sts", request.region, keys, once=code is not None)
        try:
            with self._ports.aws.errors("GetSessionToken"):
                return credentials_of(client.get_session_token(DurationSeconds=duration, **mfa))
        except RoleRefused as error:  # there is no role here: the sign-in itself is denied
            hint = (
                "check the code and `mfa_serial`"
                if code
                else "the user's policies deny sts:GetSessionToken; where they demand MFA, give the"
                " profile `mfa_serial`"
            )
            raise LoginRefused(error.message, hint=hint) from error
