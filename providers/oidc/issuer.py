"""An OpenID provider: its discovery document, its flows, and the check of its ID tokens.

Nothing that it says is used before it is checked: the issuer is the configured one everywhere, the
token's signature, audience, time and nonce hold. Source: OpenID Connect Discovery 1.0 section 4,
OpenID Connect Core 1.0 sections 3.1.2, 3.1.3.7, 11 and 12.2, RFC 7636, RFC 8628, RFC 9207.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from broker.errors import AwsLoginError, ConfigError, LoginRefused, UnexpectedReply
from broker.ports import Ports
from broker.ports.authorization_code import code_by_browser
from broker.ports.device_flow import SLOW_DOWN_SECONDS, NotYetError, Pace, poll, show_code
from broker.ports.urls import origin, require_safe
from broker.secret import Secret
from broker.terminal_text import one_line
from providers.oidc.id_token import subject_of, text_of

if TYPE_CHECKING:
    from broker.ports.http import Reply

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_OF_THE_CLIENT = {
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
}
_MICROSOFT = (
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "sts.windows.net",
)
_NAMES_ITSELF = "authorization_response_iss_parameter_supported"
MAX_KEYS = 100


class SignInOver(LoginRefused):
    """The refresh token does not hold any more."""


@dataclass(frozen=True)
class Tokens:
    """A checked ID token, whom it is about, and what renews it."""

    id_token: Secret
    subject: str
    refresh_token: Secret | None


class Issuer:
    """One OpenID provider, asked for one client.

    Args:
        ports: The way to it, and to the person.
        issuer: As configured, and as its tokens must name it.
        client_id: A public client's.
        scopes: `openid` is added where it is missing.
        port: A fixed port for the browser's return; 0 for any.
    """

    def __init__(
        self, ports: Ports, issuer: str, client_id: str, scopes: tuple[str, ...], port: int
    ) -> None:
        self._ports = ports
        self._issuer = issuer
        self._client_id = client_id
        self._scope = " ".join(scopes if "openid" in scopes else ("openid", *scopes))
        self._port = port

    @cached_property
    def _endpoints(self) -> Mapping[str, Any]:
        """The discovery document.

        Raises:
            ConfigError: There is none, or it is another issuer's.
        """
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        reply = self._ports.http.session().get(address)
        if reply.status != 200:
            raise ConfigError(
                f"{address} answered {reply.status}", hint="check `issuer` of the provider"
            )
        document = _object(reply, "the discovery document")
        if document.get("issuer") != self._issuer:
            raise ConfigError(
                f"{address} is about another issuer: {str(document.get('issuer'))[:200]!r}",
                hint="set `issuer` of the provider to exactly what the document says",
            )
        return document

    def _endpoint(self, name: str) -> str:
        address = self._endpoints.get(name)
        if not isinstance(address, str) or not address:
            raise ConfigError(
                f"{self._issuer} names no {name}",
                hint="take the other `flow` of the provider" if "device" in name else "",
            )
        require_safe(address)
        return address

    def by_browser(self) -> Tokens:
        """A sign-in in the browser, which comes back to this machine."""
        nonce = secrets.token_urlsafe(32)

        def address(redirect: str, state: str, challenge: str) -> str:
            query = {
                "response_type": "code",
                "client_id": self._client_id,
                "redirect_uri": redirect,
                "scope": self._scope,
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
            if "offline_access" in self._scope.split() and not self._is_microsofts:
                query["prompt"] = "consent"  # without it that scope is ignored
            page = self._endpoint("authorization_endpoint")
            return f"{page}{'&' if '?' in page else '?'}{urlencode(query)}"

        self._endpoint("token_endpoint")
        returned = code_by_browser(
            self._ports,
            address,
            port=self._port,
            issuer=self._issuer,
            must_name_issuer=self._endpoints.get(_NAMES_ITSELF) is True,
            without_browser=", or with --no-browser for a code",
        )
        document = self._token(
            {
                "grant_type": "authorization_code",
                "code": returned.code.reveal(),
                "redirect_uri": returned.redirect_uri,
                "code_verifier": returned.verifier.reveal(),
            }
        )
        return self._checked(document, nonce=nonce)

    @property
    def _is_microsofts(self) -> bool:
        """Entra ID needs no prompt, which would ask for what administrators alone may grant."""
        return (urlsplit(self._issuer).hostname or "").endswith(_MICROSOFT)

    def by_device(self) -> Tokens:
        """A sign-in on any device, with a code that is shown here."""
        page = self._endpoint("device_authorization_endpoint")
        reply = self._ports.http.session().post(
            page, form={"client_id": self._client_id, "scope": self._scope}
        )
        if reply.status != 200:
            raise self._refusal(reply)
        started = _object(reply, "the device authorization")
        try:
            device = Secret(text_of(started, "device_code"))
            address = started.get("verification_uri_complete") or text_of(
                started, "verification_uri"
            )
            user_code = text_of(started, "user_code")
            pace = Pace.of(started.get("interval"), started.get("expires_in"))
        except (KeyError, ValueError, TypeError):
            raise UnexpectedReply(f"{self._issuer} started no device sign-in") from None
        show_code(self._ports, str(address), user_code)
        grant = {"grant_type": DEVICE_GRANT, "device_code": device.reveal()}
        return self._checked(poll(self._ports.clock, lambda: self._token(grant), pace))

    def refreshed(self, refresh: Secret, *, subject: str) -> Tokens:
        """New tokens of the same person; an issuer that gives no ID token here ends the sign-in.

        Raises:
            SignInOver: The refresh token does not hold any more.
        """
        try:
            document = self._token(
                {"grant_type": "refresh_token", "refresh_token": refresh.reveal()}
            )
        except LoginRefused as error:
            raise SignInOver(error.message, hint="sign in again") from error
        if "id_token" not in document:
            raise SignInOver(f"{self._issuer} refreshes no ID token", hint="sign in again")
        tokens = self._checked({"refresh_token": refresh.reveal(), **document})
        if not hmac.compare_digest(tokens.subject.encode(), subject.encode()):
            raise UnexpectedReply(f"{self._issuer} answered with another person's token")
        return tokens

    def _token(self, grant: Mapping[str, str]) -> dict[str, Any]:
        """The token endpoint's reply to a grant, which is sent once."""
        endpoint = self._endpoint("token_endpoint")
        reply = self._ports.http.session().post(
            endpoint,
            form={**grant, "client_id": self._client_id},
            only_to={origin(endpoint)},
            follow=False,
        )
        if reply.status != 200:
            raise self._refusal(reply)
        return _object(reply, "the token endpoint")

    def _refusal(self, reply: Reply) -> AwsLoginError:
        """What an error of the token endpoint means (RFC 6749 section 5.2, RFC 8628 3.5)."""
        try:
            document = json.loads(reply.text)
            error = str(document["error"])
            description = str(document.get("error_description") or "")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            error = description = ""
        if error in {"authorization_pending", "slow_down"}:
            slower = SLOW_DOWN_SECONDS if error == "slow_down" else 0.0
            return NotYetError(f"{self._issuer} asks to wait", slower=slower)
        if error == "access_denied":
            return LoginRefused("the sign-in was denied", hint="run it again, and allow it")
        if error in {"expired_token", "invalid_grant"}:
            return LoginRefused(
                f"the sign-in at {self._issuer} does not hold: {error}", hint="run it again"
            )
        if error in _OF_THE_CLIENT:
            return ConfigError(
                f"{self._issuer} refuses the client {self._client_id}: {error}",
                hint="it must be a public client that is allowed this flow, scope and"
                " http://127.0.0.1/oauth/callback on any port",
            )
        detail = f": {one_line(f'{error} {description}'.strip())}" if error else ""
        return UnexpectedReply(
            f"{self._issuer} answered {reply.status} without a token{detail}",
            hint="check `client_id`, `scopes` and `flow` of the provider",
        )

    def _checked(self, document: Mapping[str, Any], nonce: str | None = None) -> Tokens:
        """The tokens of a reply, the ID token checked (OpenID Connect Core section 3.1.3.7).

        Raises:
            UnexpectedReply: There is none, or it does not hold; the message names what is wrong.
        """
        import jwt

        refresh = document.get("refresh_token")
        try:
            token = Secret(text_of(document, "id_token"))
            subject = subject_of(
                token,
                self._published_keys,
                issuer=self._issuer,
                client_id=self._client_id,
                nonce=nonce,
            )
        except (jwt.PyJWTError, ValueError, KeyError, TypeError, RecursionError) as error:
            known = isinstance(error, jwt.PyJWTError | ValueError)
            what = str(error)[:200] if known else "there is none"
            raise UnexpectedReply(
                f"the ID token of {self._issuer} does not hold: {what}",
                hint="check the provider's `issuer` and `client_id`, and this machine's clock",
            ) from None
        held = isinstance(refresh, str) and refresh
        return Tokens(token, subject, Secret(str(refresh)) if held else None)

    def _published_keys(self) -> object:
        """What the issuer's JWK set lists now: keys change."""
        reply = self._ports.http.session().get(self._endpoint("jwks_uri"))
        return _object(reply, "the keys").get("keys")


def _object(reply: Reply, what: str) -> dict[str, Any]:
    document = reply.json()
    if not isinstance(document, dict):
        raise UnexpectedReply(f"{what} at {reply.url.partition('?')[0]} is no JSON object")
    return document
