"""IAM Identity Center: one sign-in in the browser, credentials for every role that is assigned.

Owns the story. `flows` signs in, `token` keeps the sign-in, `portal` asks for what it opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from broker.errors import RoleRefused, UnexpectedReply
from broker.ports import Ports
from broker.ports.parallel import in_parallel
from broker.provider import Account, Credentials, Provider, Request
from broker.secret import Secret
from providers.identity_center.options import IdentityCenterOptions
from providers.identity_center.portal import CLOCK_OFF, RATE, Portal
from providers.identity_center.shared_token import SharedToken
from providers.identity_center.token import TokenOfSignIn


class IdentityCenter(Provider[IdentityCenterOptions]):
    """Signs in once, then gets any number of roles; `login` may be called from many threads."""

    Options = IdentityCenterOptions

    def __init__(self, name: str, options: IdentityCenterOptions, ports: Ports) -> None:
        super().__init__(name, options, ports)
        self._token = TokenOfSignIn(name, options, ports)
        self._portal = Portal(options, ports, self._token)

    @classmethod
    def decided_by(cls, options: IdentityCenterOptions) -> tuple[str, ...]:
        """AWS CLI's token, where it is shared, and its folder."""
        session = options.share_token_cache
        path = SharedToken(session, options).path if session else None
        return (str(path), str(path.parent)) if path else ()

    @classmethod
    def signs_in_as(cls, options: IdentityCenterOptions, environ: Mapping[str, str]) -> str | None:
        """The owner of AWS CLI's token, where it is shared: sessions end with that token."""
        del environ
        session = options.share_token_cache
        return SharedToken(session, options).whose() if session else None

    @classmethod
    def check(cls, options: IdentityCenterOptions, request: Request) -> str | None:
        """A role is named by `account` and `role`."""
        del options
        if not (request.account and request.role):
            return "Identity Center needs `account` and `role`"
        return None

    def login(self, request: Request) -> Credentials:
        """Credentials of the request's role."""
        assert request.account
        assert request.role
        refused = RoleRefused(
            f"the sign-in of {self.name} is not assigned the role {request.role}"
            f" in {request.account}",
            hint=f"`awslogin discover {self.name}` shows what is assigned",
        )
        reply = self._portal.credentials(request.account, request.role, refused)
        found = _credentials(reply, request.account)
        self._tell_the_length(found, request)
        return found

    def _tell_the_length(self, found: Credentials, request: Request) -> None:
        """Say it where a session does not last as asked: the permission set says how long."""
        if request.duration is None or found.expires_at is None:
            return
        lasts = (found.expires_at - self.ports.clock.now()).total_seconds()
        if abs(lasts - request.duration) > CLOCK_OFF:
            self.ports.ui.warn(
                f"`duration` of {request.profile} has no effect: Identity Center's permission set"
                f" {request.role} lets a session last {lasts / 60:.0f} minutes"
            )

    def discover(self) -> list[Account]:
        """Every account and role that is assigned, read in parallel within the rate."""
        accounts = sorted(self._portal.accounts(), key=lambda account: account["accountId"])
        with self.ports.ui.counting("reading accounts", len(accounts)) as counted:

            def roles(account: Mapping[str, str]) -> tuple[str, ...]:
                names = tuple(self._portal.roles(account["accountId"]))
                counted()
                return names

            found = in_parallel(roles, accounts, at_once=RATE)
        return [
            Account(account["accountId"], account.get("accountName"), names)
            for account, names in zip(accounts, found, strict=True)
        ]

    def logout(self) -> None:
        """End the portal's session, refreshed where it must be, and drop the tokens."""
        try:
            token = self._token.get_silently()
            if token:
                self._portal.logout(token)
        finally:
            self._token.forget()


def _credentials(reply: Mapping[str, Any], account: str) -> Credentials:
    try:
        keys = reply["roleCredentials"]
        return Credentials(
            access_key_id=keys["accessKeyId"],
            secret_access_key=Secret(keys["secretAccessKey"]),
            session_token=Secret(keys["sessionToken"]),
            expires_at=datetime.fromtimestamp(int(keys["expiration"]) / 1000, UTC),
            account_id=account,
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise UnexpectedReply("Identity Center answered without credentials") from error
