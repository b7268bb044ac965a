"""The access portal: accounts, roles, credentials and logout, within the rate that it takes.

Source: IAM Identity Center Portal API Reference.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from broker.errors import AwsLoginError, LoginRefused, NetworkError, Throttled, UnexpectedReply
from broker.ports import Ports
from broker.ports.aws_errors import error_code
from providers.identity_center.budget import Budget
from providers.identity_center.place import Place
from providers.identity_center.token import TokenOfSignIn

RATE = 20
"""Calls a second that the portal takes."""
TRIES = 10
"""Of one call that is throttled."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 30.0
"""Seconds that we wait when asked to."""
FAILED_TRIES, PATIENCE = 3, 15.0
"""Of one call that fails or is not answered; seconds after which it is not repeated."""
CLOCK_OFF = 300.0
"""Seconds by which this machine's clock may differ from AWS's."""

T = TypeVar("T")
Call = Callable[[Any, str], T]
"""Takes the client and the access token."""


class Portal:
    """The portal as one sign-in sees it; its methods may be called from many threads."""

    def __init__(self, place: Place, ports: Ports, token: TokenOfSignIn) -> None:
        self._place = place
        self._ports = ports
        self._token = token
        self._budget = Budget(RATE, ports.clock)
        self._lock = threading.Lock()
        self._made: Any = None
        self._clock_is_checked = False

    def credentials(self, account: str, role: str, refused: AwsLoginError) -> Mapping[str, Any]:
        """GetRoleCredentials; `refused` is raised where the role is not assigned."""

        def call(portal: Any, token: str) -> Mapping[str, Any]:
            reply: Mapping[str, Any] = portal.get_role_credentials(
                accountId=account, roleName=role, accessToken=token
            )
            return reply

        return self._with_token(f"GetRoleCredentials of {role} in {account}", call, refused)

    def accounts(self) -> list[Mapping[str, str]]:
        """ListAccounts, all pages."""
        return list(self._pages("list_accounts", "accountList", "accountId"))

    def roles(self, account: str) -> list[str]:
        """ListAccountRoles, all pages: the names."""
        rows = self._pages("list_account_roles", "roleList", "roleName", accountId=account)
        return sorted(row["roleName"] for row in rows)

    def logout(self, token: str) -> None:
        """End the portal's session; one that is over already is no error."""
        with suppress(LoginRefused):
            self._paced("Logout", lambda portal, token: portal.logout(accessToken=token), token)

    def _pages(
        self, operation: str, key: str, named_by: str, **arguments: str
    ) -> Iterator[Mapping[str, str]]:
        """The rows of all pages; each has the text that names it."""
        after: str | None = None
        seen: set[str | None] = set()
        while True:
            more = {"nextToken": after} if after else {}

            def call(portal: Any, token: str, more: Mapping[str, str] = more) -> Any:
                return getattr(portal, operation)(
                    accessToken=token, maxResults=100, **arguments, **more
                )

            page = self._with_token(operation, call)
            if key not in page:
                raise UnexpectedReply(f"{operation} answered without {key}")
            if not all(isinstance(row.get(named_by), str) for row in page[key]):
                raise UnexpectedReply(f"{operation} answered a row without {named_by}")
            yield from page[key]
            seen.add(after)
            after = page.get("nextToken")
            if not after or after in seen:
                return

    def _with_token(self, what: str, call: Call[T], refused: AwsLoginError | None = None) -> T:
        """Call the portal; a token that it refuses is refreshed, a refreshed one replaced."""
        token = self._token.get()
        with suppress(LoginRefused):
            return self._paced(what, call, token, refused)
        token = self._token.get(instead_of=token)
        with suppress(LoginRefused):
            return self._paced(what, call, token, refused)
        token = self._token.anew(instead_of=token)
        return self._paced(what, call, token, refused)

    def _paced(
        self, what: str, call: Call[T], token: str, refused: AwsLoginError | None = None
    ) -> T:
        """Call within the rate; what is throttled is repeated after the pause that is asked for."""
        clock = self._ports.clock
        start, throttled, failed = clock.monotonic(), 0, 0
        while True:
            try:
                with self._budget.turn(), self._errors(what, refused):
                    reply = call(self._client(), token)
            except _ThrottledError as error:
                throttled += 1
                pause = error.pause(throttled, clock.now())
                if throttled == TRIES or pause > LONGEST_PAUSE:
                    raise Throttled(
                        f"{what}: Identity Center is throttling", hint="try again later"
                    ) from error
                self._budget.hold(pause)
            except NetworkError:
                failed += 1
                late = clock.monotonic() - start > PATIENCE / self._place.among
                if failed == FAILED_TRIES or late:
                    raise
                clock.sleep(0.5 * 2**failed)
            else:
                self._check_clock(reply)
                return reply

    def _client(self) -> Any:
        """One client for all threads: making one costs more than a call."""
        with self._lock:
            if self._made is None:
                self._made = self._ports.aws.client(
                    "sso",
                    self._place.region,
                    once=True,
                    dual_stack=self._place.dual_stack,
                    places=self._place.among,
                )
            return self._made

    @contextmanager
    def _errors(self, what: str, refused: AwsLoginError | None) -> Iterator[None]:
        from botocore.exceptions import ClientError

        with self._ports.aws.errors(what):
            try:
                yield
            except ClientError as error:
                failure = self._failure_of(what, error, refused)
                if failure:
                    raise failure from error
                raise

    def _failure_of(self, what: str, error: Any, refused: AwsLoginError | None) -> Exception | None:
        """What to raise for an error of the portal; None leaves it to the AWS port."""
        code = error_code(error)
        reply = error.response.get("ResponseMetadata", {})
        status = reply.get("HTTPStatusCode", 0)
        if code == "UnauthorizedException" or status == 401:
            return LoginRefused(
                f"{what}: the sign-in at {self._place.start_url} has ended or was revoked",
                hint="sign in again",
            )
        if code == "TooManyRequestsException" or status == 429:
            return _ThrottledError(reply.get("HTTPHeaders", {}).get("retry-after", ""))
        if refused and status in {403, 404}:
            return refused
        return None

    def _check_clock(self, reply: Any) -> None:
        """Say once when this machine's clock is off: what it thinks fresh may have run out."""
        if self._clock_is_checked or not isinstance(reply, Mapping):
            return
        self._clock_is_checked = True
        headers = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        there = _date(headers.get("date", ""))
        off = (self._ports.clock.now() - there).total_seconds() if there else 0.0
        if abs(off) > CLOCK_OFF:
            self._ports.ui.warn(
                f"this machine's clock is {abs(off) / 60:.0f} minutes"
                f" {'ahead of' if off > 0 else 'behind'} AWS's: set it, or sessions end early"
            )


class _ThrottledError(Exception):
    """The portal asks for a pause."""

    def __init__(self, retry_after: str) -> None:
        super().__init__()
        self._asked = retry_after.strip()

    def pause(self, times: int, now: datetime) -> float:
        """Seconds to wait; without the portal's word, longer each time."""
        until = _date(self._asked)
        if re.fullmatch(r"\d+(\.\d+)?", self._asked, re.ASCII):
            asked = float(self._asked)
        elif until:
            asked = (until - now).total_seconds()
        else:
            asked = min(4.0, SHORTEST_PAUSE * 2**times)
        return max(SHORTEST_PAUSE, asked)


def _date(text: str) -> datetime | None:
    """An HTTP date."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
