"""A person's sign-in at any OpenID provider: its ID token is exchanged for roles at STS.

Owns the story: which token is used, when it is refreshed, what is kept. `issuer` speaks to the
OpenID provider and checks what it says.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from broker.arn import account_of
from broker.errors import SIGN_IN, InteractionRequired, LoginRefused, UnexpectedReply, UsageError
from broker.ports import Ports
from broker.ports.urls import require_safe
from broker.ports.web_identity import claims_of, credentials_for, listed, trust_statement
from broker.provider import Account, Credentials, Provider, ProviderOptions, Request, TrustStatement
from broker.secret import Secret
from providers.oidc.issuer import Issuer, SignInOver, Tokens

EARLY = timedelta(minutes=1)
"""What must be left of an ID token; with less it is refreshed."""


def _issuer(url: str) -> str:
    """The issuer as its tokens name it: https, or http on loopback; no query, no fragment."""
    try:
        require_safe(url)
    except UnexpectedReply as error:
        raise ValueError(error.message) from None
    if re.search(r"[?#\s]", url):
        raise ValueError("an issuer has neither query nor fragment")
    return url


class OidcOptions(ProviderOptions):
    """`issuer` and `client_id` of a public client; `roles_claim` lists role ARNs for `discover`."""

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: str = Field(pattern=r"^[!-~]+$")
    scopes: tuple[str, ...] = ("openid",)
    flow: Literal["auto", "pkce", "device"] = "auto"
    callback_port: int = Field(default=0, ge=0, le=65535)
    roles_claim: str | None = None

    def sign_in(self, **who: Any) -> dict[str, Any]:
        """Flow, port and claim do not make another sign-in."""
        return {
            "issuer": self.issuer,
            "client_id": self.client_id,
            "scopes": sorted({*self.scopes}),
            "username": who.get("username"),
        }


class OidcProvider(Provider[OidcOptions]):
    """Signs in once; `login` may be called from many threads."""

    Options = OidcOptions

    def __init__(self, name: str, options: OidcOptions, ports: Ports) -> None:
        super().__init__(name, options, ports)
        self._lock = threading.Lock()
        self._failed: LoginRefused | None = None

    @classmethod
    def check(cls, options: OidcOptions, request: Request) -> str | None:
        """A role is needed: a token alone is no session."""
        del options
        return None if request.role_arn else "oidc needs `role_arn`, or `account` and `role`"

    def login(self, request: Request) -> Credentials:
        """The request's role, for the signed-in person's ID token."""
        return credentials_for(self.ports, request, self._token())

    @classmethod
    def cannot_narrow(cls, options: OidcOptions, request: Request) -> str | None:
        """AssumeRoleWithWebIdentity takes session policies."""
        del options, request
        return None

    @classmethod
    def trusted_by(
        cls, options: OidcOptions, request: Request, environ: Mapping[str, str]
    ) -> TrustStatement | None:
        """The issuer's tokens for our client."""
        del environ
        note = "anybody whom the issuer gives a token for this client may take the role"
        return trust_statement(request, options.issuer, options.client_id, []), note

    def discover(self) -> list[Account]:
        """The roles that `roles_claim` lists, by account."""
        claim = self.options.roles_claim
        if not claim:
            raise UsageError(
                f"provider {self.name} does not say which claim lists roles",
                hint="set its `roles_claim`",
            )
        roles: dict[str, set[str]] = {}
        for text in listed(claims_of(self._token()).get(claim)):
            for arn in text.split(","):  # as in SAML, a role may stand beside its provider
                account, _, role = arn.strip().partition(":role/")
                if role and account_of(arn.strip()):
                    roles.setdefault(account.rpartition(":")[2], set()).add(role)
        return [
            Account(account, None, tuple(sorted(names))) for account, names in sorted(roles.items())
        ]

    def _token(self) -> Secret:
        """An ID token that holds: the kept one, a refreshed one, or one of a new sign-in.

        Raises:
            InteractionRequired: A person is needed, and there is none.
        """
        with self._lock:
            if self._failed:
                raise self._failed  # one refusal serves all threads that want this sign-in
            stored = self.ports.secrets.recall("tokens")
            token = self._held_or_refreshed(stored) if stored else None
            return token or self._from_person(had_one=stored is not None)

    def _held_or_refreshed(self, stored: Mapping[str, Any]) -> Secret | None:
        """The stored ID token while it holds, else a refreshed one; None if a person is needed."""
        token, refresh = Secret(stored["idToken"]), Secret(stored.get("refreshToken") or "")
        if _end(token) - self.ports.clock.now() > EARLY:
            return token
        if not refresh:
            return None
        try:
            tokens = self._issuer().refreshed(refresh, subject=str(stored["subject"]))
        except SignInOver:
            self.ports.secrets.forget("tokens")
            return None
        return self._keep(tokens)

    def _from_person(self, *, had_one: bool) -> Secret:
        place = self.options.issuer
        flow = self.options.flow
        here = self.ports.ui.browser_is_here
        by_browser = here if flow == "auto" else flow == "pkce"
        if not self.ports.ui.can_sign_in(by_browser=by_browser):
            raise InteractionRequired(
                f"the sign-in at {place} has ended; a new one needs a person"
                if had_one
                else f"signing in at {place} needs a person and a browser",
                hint=f"run `{SIGN_IN}` on a terminal; the sign-in is kept",
            )
        try:
            issuer = self._issuer()
            return self._keep(issuer.by_browser() if by_browser else issuer.by_device())
        except LoginRefused as error:
            self._failed = error
            raise

    def _issuer(self) -> Issuer:
        options = self.options
        return Issuer(
            self.ports, options.issuer, options.client_id, options.scopes, options.callback_port
        )

    def _keep(self, tokens: Tokens) -> Secret:
        refresh = tokens.refresh_token
        document = {
            "idToken": tokens.id_token.reveal(),
            "refreshToken": refresh.reveal() if refresh else None,
            "subject": tokens.subject,
        }
        until = None if refresh else _end(tokens.id_token)
        self.ports.secrets.remember("tokens", document, until=until)
        return tokens.id_token


def _end(token: Secret) -> datetime:
    """When a checked token ends, UTC."""
    try:
        return datetime.fromtimestamp(int(claims_of(token)["exp"]), UTC)
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        raise UnexpectedReply("an ID token does not say when it ends") from None
