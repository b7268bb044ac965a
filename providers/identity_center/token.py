"""The access token of one sign-in: kept, refreshed in time, and got anew from the person.

Owns which token is used and where it is kept: sealed, or in AWS CLI's own file. The caller holds
the sign-in's lock, so that of many processes one refreshes; a refresh token is good once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from broker.errors import (
    SIGN_IN,
    AwsLoginError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    UnexpectedReply,
)
from broker.ports import Ports
from broker.ports.clock import from_text, to_text
from broker.secret import Secret
from providers.identity_center.flows import is_by_browser, sign_in
from providers.identity_center.oidc import Client, Oidc
from providers.identity_center.options import IdentityCenterOptions
from providers.identity_center.place import Place
from providers.identity_center.shared_token import SharedToken

EARLY = timedelta(minutes=5)
"""What must be left of an access token; with less it is refreshed."""
ONE_FAILURE_SERVES = 10.0
"""Seconds for which a failed sign-in is the result of all threads that want one."""


class TokenOfSignIn:
    """The token; its methods may be called from many threads."""

    def __init__(
        self, name: str, options: IdentityCenterOptions, place: Place, ports: Ports
    ) -> None:
        self._options = options
        self._place = place
        self._ports = ports
        self._oidc = Oidc(name, options, place, ports)
        shared = options.share_token_cache
        self._shared = SharedToken(shared, options) if shared else None
        self._lock = threading.Lock()
        self._failure: AwsLoginError | None = None
        self._failed_at = float("-inf")

    def get(self, *, instead_of: str | None = None) -> str:
        """A token that holds: the kept one, a refreshed one, or one of a new sign-in.

        Args:
            instead_of: A token that the portal refused.

        Raises:
            InteractionRequired: A person is needed, and there is none.
        """
        with self._lock:
            token = self._without_person(instead_of)
            return token or self._from_person(had_one=self._stored() is not None)

    def anew(self, *, instead_of: str) -> str:
        """A token of a new sign-in: the one that was refused cannot be mended by a refresh.

        Args:
            instead_of: The refreshed token that the portal refused too.

        Raises:
            InteractionRequired: A person is needed, and there is none.
        """
        with self._lock:
            stored = self._stored()
            if stored and stored["accessToken"] != instead_of:
                return str(stored["accessToken"])  # another thread's new sign-in
            self.forget()
            return self._from_person(had_one=True)

    def get_silently(self) -> str | None:
        """A token that holds, without a person; None where there is none."""
        with self._lock:
            return self._without_person(None)

    def kept_region(self) -> str | None:
        """The Region of the sign-in that is kept; None where there is none."""
        stored = self._stored()
        return str(stored["region"]) if stored else None

    def forget(self) -> None:
        """Drop the token; the registration is kept."""
        if self._shared:
            self._shared.forget()
        self._ports.secrets.forget("token")

    def _without_person(self, instead_of: str | None) -> str | None:
        stored = self._stored()
        if stored is None:
            return None
        now = self._ports.clock.now()
        usable = stored["accessToken"] != instead_of and _until(stored) > now
        if usable and _until(stored) - now > EARLY:
            return str(stored["accessToken"])
        try:
            refreshed = self._refreshed(stored)
        except NetworkError:
            if not usable:
                raise
            refreshed = None
        if refreshed:
            return str(refreshed["accessToken"])
        return str(stored["accessToken"]) if usable else None

    def _from_person(self, *, had_one: bool) -> str:
        if self._ports.clock.monotonic() - self._failed_at < ONE_FAILURE_SERVES:
            assert self._failure
            raise self._failure
        try:
            by_browser = is_by_browser(self._options, self._ports)
            if not self._ports.ui.can_sign_in(by_browser=by_browser):
                raise self._needs_a_person(had_one=had_one)
            self._place.find()
            reply, client = sign_in(self._options, self._oidc, self._ports)
        except AwsLoginError as error:
            self._failure, self._failed_at = error, self._ports.clock.monotonic()
            raise
        return str(self._keep(reply, client)["accessToken"])

    def _needs_a_person(self, *, had_one: bool) -> InteractionRequired:
        """The failure of a sign-in that nobody is there for.

        Raises:
            NetworkError: It would not work with a person either, and another Region may serve.
        """
        if self._place.among > 1:
            self._place.find()
            self._oidc.registered("device", anew=True)
        place = self._place.start_url
        return InteractionRequired(
            f"the sign-in at {place} has ended or was revoked; a new one needs a person"
            if had_one
            else f"signing in at {place} needs a person and a browser",
            hint=f"run `{SIGN_IN}` on a terminal; the sign-in is kept",
        )

    def _refreshed(self, stored: Mapping[str, Any]) -> dict[str, Any] | None:
        """A new token for the refresh token; None where there is none or the sign-in is over."""
        refresh = stored.get("refreshToken")
        registered_until = from_text(stored["registrationExpiresAt"])
        if not refresh or registered_until <= self._ports.clock.now():
            return None
        client = {
            "clientId": stored["clientId"],
            "clientSecret": stored["clientSecret"],
            "expiresAt": stored["registrationExpiresAt"],
        }
        try:
            reply = self._oidc.create_token(client, grantType="refresh_token", refreshToken=refresh)
        except UnexpectedReply:
            return None
        except LoginRefused:
            found = self._refreshed_by_another_tool(stored)
            if found is None:
                self._never_refresh_again(stored)
            return found
        return self._keep({**reply, "refreshToken": reply.get("refreshToken") or refresh}, client)

    def _refreshed_by_another_tool(self, stored: Mapping[str, Any]) -> dict[str, Any] | None:
        """AWS CLI does not know our lock: it may have spent the shared refresh token meanwhile."""
        found = self._shared.read() if self._shared else None
        if found and found["accessToken"] != stored["accessToken"]:
            return found
        return None

    def _never_refresh_again(self, stored: Mapping[str, Any]) -> None:
        """Drop a refused refresh token, and keep the access token: it may hold a while yet."""
        if not self._shared:
            rest = {name: value for name, value in stored.items() if name != "refreshToken"}
            self._ports.secrets.remember("token", rest, until=_until(stored))

    def _stored(self) -> dict[str, Any] | None:
        """What an earlier sign-in stored, its secrets masked; from AWS CLI's file if shared."""
        stored = self._shared.read() if self._shared else self._ports.secrets.recall("token")
        if stored:
            self._place.recall(stored)
        for name in ("accessToken", "refreshToken", "clientSecret"):
            Secret((stored or {}).get(name) or "")
        return stored

    def _keep(self, reply: Mapping[str, Any], client: Client) -> dict[str, Any]:
        until = self._ports.clock.now() + timedelta(seconds=int(reply["expiresIn"]))
        token = {
            "startUrl": self._place.start_url,
            "region": self._place.region,
            "accessToken": reply["accessToken"],
            "expiresAt": to_text(until),
            "clientId": client["clientId"],
            "clientSecret": client["clientSecret"],
            "registrationExpiresAt": client["expiresAt"],
        }
        if reply.get("refreshToken"):
            token["refreshToken"] = reply["refreshToken"]
        if self._shared:
            self._shared.write(token)
        else:
            last = None if "refreshToken" in token else until
            self._ports.secrets.remember("token", token, until=last)
        return token


def _until(token: Mapping[str, Any]) -> datetime:
    return from_text(token["expiresAt"])
