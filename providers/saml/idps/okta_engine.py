"""Okta Identity Engine: a device code in the browser, exchanged for the app's SAMLResponse.

Source: Okta's OpenID Connect & OAuth 2.0 API (device authorization, token exchange to a web SSO
token); RFC 8628 and RFC 8693. Its authn API is of no use for an app.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from broker.errors import (
    SIGN_IN,
    AwsLoginError,
    ConfigError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    UnexpectedReply,
)
from broker.ports.device_flow import SLOW_DOWN_SECONDS, NotYetError, Pace, poll
from broker.ports.urls import joined, require_safe
from providers.saml import api
from providers.saml.api import Answer
from providers.saml.idp import IdentityProvider
from providers.saml.walk import Walk

SCOPE = "openid okta.apps.sso okta.apps.read okta.users.read.self"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105
WEB_SSO_TOKEN = "urn:okta:oauth:token-type:web_sso_token"  # noqa: S105
LONGEST = 15 * 60.0
"""Seconds that a person has, however long the code lives."""


class _RefusedError(Exception):
    """An OAuth error: its code and its description."""

    def __init__(self, answer: Answer, status: int) -> None:
        self.code = str(answer.get("error") or answer.get("errorCode") or f"HTTP {status}")
        self.description = api.plain_line(
            answer.get("error_description") or answer.get("errorSummary")
        )
        super().__init__(self.code)


class IdentityEngine:
    """One sign-in; its tokens are kept sealed while they live."""

    def __init__(self, idp: IdentityProvider) -> None:
        self._idp = idp
        self._ports = idp.ports
        self._client = str(idp.options.client_id)
        self._app = str(idp.options.app_id)
        self._pages = Walk(idp.ports, idp.person, idp.options.password_origins())

    def response(self) -> str:
        """The kept tokens' SAMLResponse, else a new sign-in's."""
        stored = self._ports.secrets.recall("okta-tokens")
        token = self._web_sso_token(stored, quietly=True) if stored else None
        if token is None:
            token = self._web_sso_token(self._signed_in())
        address = joined(self._idp.url, "/login/token/sso")
        return self._pages.onward(self._pages.http.post(address, form={"token": token or ""}))

    def _post(self, path: str, form: dict[str, str], *, retry: bool = False) -> Answer:
        reply = self._pages.http.post(
            joined(self._idp.url, path),
            form={"client_id": self._client, **form},
            headers={"Accept": "application/json"},
            retry=retry,
            follow=False,
        )
        answer = api.answer(reply)
        if reply.status >= 300:
            raise _RefusedError(answer, reply.status)
        return answer

    # The device code

    def _signed_in(self) -> Answer:
        ui = self._ports.ui
        if not ui.interactive:
            raise InteractionRequired(
                f"signing in at {urlsplit(self._idp.url).netloc} (Okta Identity Engine) needs a"
                " person and a browser",
                hint=f"run `{SIGN_IN}` on a terminal; the sign-in is kept",
            )
        try:
            started = self._post("/oauth2/v1/device/authorize", {"scope": SCOPE})
        except _RefusedError as refused:
            raise ConfigError(
                f"Okta does not start a device authorization for `client_id` {self._client}:"
                f" {refused.description or refused.code}",
                hint="it is a native OIDC app with the grants device authorization and token"
                " exchange: see docs/providers/okta.md",
            ) from None
        address = started.get("verification_uri_complete") or started.get("verification_uri")
        if not address or not started.get("device_code"):
            raise UnexpectedReply("Okta's device authorization holds no code")
        require_safe(str(address))
        code = api.plain_line(started.get("user_code"), 40)
        ui.show(f"Sign in at {api.plain_line(address)}\nand check that it shows the code {code}")
        ui.browse(str(address))
        tokens = self._polled(started)
        lives = api.seconds(tokens.get("expires_in"), 3600, least=0, most=86400)
        until = self._ports.clock.now() + timedelta(seconds=lives)
        self._ports.secrets.remember("okta-tokens", tokens, until=until)
        return tokens

    def _polled(self, started: Answer) -> Answer:
        """The tokens, once the person has confirmed the code."""
        form = {"device_code": str(started["device_code"]), "grant_type": DEVICE_CODE}
        every = api.seconds(started.get("interval"), 5, least=1, most=60)
        lives = api.seconds(started.get("expires_in"), 600, least=30, most=LONGEST)

        def ask() -> Answer:
            try:
                return self._post("/oauth2/v1/token", form)
            except _RefusedError as refused:
                raise _still_undecided(refused) from None

        tokens = poll(self._ports.clock, ask, Pace(every, lives))
        if not tokens.get("access_token") or not tokens.get("id_token"):
            raise UnexpectedReply(
                "Okta's token reply holds no access token and id token",
                hint="grant the client the scopes openid and okta.apps.sso",
            )
        return {name: tokens.get(name) for name in ("access_token", "id_token", "expires_in")}

    # The app

    def _web_sso_token(self, tokens: Answer, *, quietly: bool = False) -> str | None:
        """A token that opens the app once; None if `quietly` and these tokens do not get one."""
        try:
            answer = self._post(
                "/oauth2/v1/token",
                {
                    "grant_type": EXCHANGE,
                    "actor_token": str(tokens["access_token"]),
                    "actor_token_type": ACCESS_TOKEN,
                    "subject_token": str(tokens["id_token"]),
                    "subject_token_type": ID_TOKEN,
                    "requested_token_type": WEB_SSO_TOKEN,
                    "audience": f"urn:okta:apps:{self._app}",
                },
            )
        except _RefusedError as refused:
            self._ports.secrets.forget("okta-tokens")
            if quietly:
                return None
            raise self._no_token(refused, tokens) from None
        if not answer.get("access_token"):
            raise UnexpectedReply("Okta's token exchange gives no web SSO token")
        return str(answer["access_token"])

    def _no_token(self, refused: _RefusedError, tokens: Answer) -> LoginRefused:
        reason = refused.description or refused.code
        if "assurance" in reason.lower():
            return LoginRefused(
                f"Okta: {reason}",
                hint="the AWS app's policy asks for more than the device app's: give both the same"
                " authentication policy, device state Any, and re-authentication after at least 2"
                " minutes (not at every sign-in); or use `idp: browser`",
            )
        apps = self._apps(tokens)
        return LoginRefused(
            f"Okta gives no way into the app {self._app}: {reason}",
            hint="check `app_id` and that the app's “Allowed Web SSO Client” is `client_id`"
            + (f"; your AWS apps are {apps}" if apps else ""),
        )

    def _apps(self, tokens: Answer) -> str:
        """The person's AWS apps, for a message; empty where Okta does not tell."""
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {tokens['access_token']}",
        }
        try:
            address = joined(self._idp.url, "/api/v1/users/me/appLinks")
            reply = self._pages.http.get(address, headers=headers, follow=False)
            links = reply.json() if reply.status == 200 else []
        except (NetworkError, UnexpectedReply):
            return ""
        return ", ".join(
            f"{api.plain_line(link.get('appInstanceId') or link.get('id'), 40)}"
            f" ({api.plain_line(link.get('label'), 40)})"
            for link in api.objects(links)
            if link.get("appName", link.get("name")) == "amazon_aws"
        )


def _still_undecided(refused: _RefusedError) -> AwsLoginError:
    """Ask later; or the end, where Okta says anything else."""
    waits = {"authorization_pending": 0.0, "slow_down": SLOW_DOWN_SECONDS}
    if refused.code in waits:
        return NotYetError("Okta asks to wait", slower=waits[refused.code])
    why = {
        "access_denied": "the sign-in was denied in the browser",
        "expired_token": "nobody confirmed the code in time",
    }.get(refused.code, f"Okta refused the sign-in: {refused.description or refused.code}")
    return LoginRefused(why, hint="run it again")


def needs_identity_engine(url: str, missing: list[str]) -> ConfigError:
    """The org runs Identity Engine, and the YAML lacks what that needs."""
    return ConfigError(
        f"{urlsplit(url).netloc} runs Okta Identity Engine, which needs"
        f" {' and '.join(f'`{name}`' for name in missing)} of the provider",
        hint="ask Okta's administrator for a native OIDC app with device authorization (see"
        " docs/providers/okta.md), or use `idp: browser`",
    )
