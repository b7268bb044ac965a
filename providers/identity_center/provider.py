"""IAM Identity Center: one sign-in in the browser, credentials for every role that is assigned.

Owns the story. `regions` says whom to ask, `flows` signs in, `token` keeps the sign-in, `portal`
asks for what it opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from broker.errors import AwsLoginError, RoleRefused, UnexpectedReply
from broker.ports import Ports
from broker.ports.parallel import in_parallel
from broker.provider import Account, Credentials, Provider, Request
from broker.secret import Secret
from providers.identity_center.options import IdentityCenterOptions
from providers.identity_center.portal import CLOCK_OFF, RATE
from providers.identity_center.regions import Center, Regions
from providers.identity_center.shared_token import SharedToken


class IdentityCenter(Provider[IdentityCenterOptions]):
    """Signs in once, then gets any number of roles; `login` may be called from many threads."""

    Options = IdentityCenterOptions

    def __init__(self, name: str, options: IdentityCenterOptions, ports: Ports) -> None:
        super().__init__(name, options, ports)
        self._regions = Regions(name, options, ports)

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
        """A role is named by `account` and `role`; what it may do, by the permission set alone."""
        del options
        if not (request.account and request.role):
            return "Identity Center needs `account` and `role`"
        policy = next((name for name in ("policy", "policy_arns") if getattr(request, name)), None)
        mend = "take a role with it by a profile with `source`"
        return f"Identity Center takes no `{policy}`; {mend}" if policy else None

    @classmethod
    def cannot_narrow(cls, options: IdentityCenterOptions, request: Request) -> str | None:
        """The permission set alone decides (portal API Reference, GetRoleCredentials)."""
        del options, request
        return "Identity Center takes no session policy"

    def login(self, request: Request) -> Credentials:
        """Credentials of the request's role."""
        account, role = request.account, request.role
        assert account
        assert role
        refused = RoleRefused(
            f"the sign-in of {self.name} is not assigned the role {role} in {account}",
            hint=f"`awslogin discover {self.name}` shows what is assigned",
        )
        reply = self._regions.served(
            lambda center: center.portal.credentials(account, role, refused), f"{account}/{role}"
        )
        found = _credentials(reply, account)
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
        return self._regions.served(self._assigned)

    def _assigned(self, center: Center) -> list[Account]:
        accounts = sorted(center.portal.accounts(), key=lambda account: account["accountId"])
        with self.ports.ui.counting("reading accounts", len(accounts)) as counted:

            def roles(account: Mapping[str, str]) -> tuple[str, ...]:
                names = tuple(center.portal.roles(account["accountId"]))
                counted()
                return names

            found = in_parallel(roles, accounts, at_once=RATE)
        return [
            Account(account["accountId"], account.get("accountName"), names)
            for account, names in zip(accounts, found, strict=True)
        ]

    def logout(self) -> None:
        """End the portal's session in each Region, refreshed where it must be, and drop the tokens.

        Raises:
            AwsLoginError: A Region could not be told; the tokens are dropped all the same.
        """
        failures: list[AwsLoginError] = []
        for center in self._regions.all:
            try:
                token = center.token.get_silently()
                if token:
                    center.portal.logout(token)
            except AwsLoginError as error:
                failures.append(error)
            finally:
                center.token.forget()
        if failures:
            raise failures[0]

    @classmethod
    def has_places(cls, options: IdentityCenterOptions) -> bool:
        """Where several Regions are named, or none, so that a company's own address tells it."""
        return len(options.regions) > 1 or not options.regions[0]

    def serving(self, request: Request) -> str | None:
        """The Region that gave the request's role last, where there are several."""
        return self._regions.who_served(f"{request.account}/{request.role}")

    def sign_in_everywhere(self) -> list[AwsLoginError]:
        """A sign-in in each Region."""
        return self._regions.sign_in_everywhere()


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
