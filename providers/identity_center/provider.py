"""IAM Identity Center: one sign-in in the browser, credentials for every role that is assigned.

Owns the flows (PKCE and device code), the token with its refresh, and the portal. Source: IAM
Identity Center OIDC and Portal API References; RFC 8628 (device grant), RFC 7636 (PKCE).
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlencode, urlsplit

from pydantic import AfterValidator, Field

from broker.errors import (
    AwsLoginError,
    ConfigError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    RoleRefused,
    UnexpectedReply,
)
from broker.ports.aws import endpoint_override, error_code
from broker.ports.clock import from_text, to_text
from broker.ports.urls import is_loopback
from broker.provider import Account, Credentials, Provider, ProviderOptions, Request
from broker.secret import Secret
from providers.identity_center.budget import Budget

SCOPE = "sso:account:access"
RATE, BURST = 20.0, 20
"""Calls a second that the portal takes."""
AT_ONCE = 16
TRIES = 6
"""Of one call that is throttled."""
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
REDIRECT = "http://127.0.0.1/oauth/callback"
"""As it is registered: without port, any port may be used (RFC 8252)."""
BROWSER_PATIENCE = 300.0
EARLY = timedelta(minutes=5)
"""What must be left of an access token; with less it is refreshed."""
REGISTRATION_LEFT = timedelta(minutes=15)

T = TypeVar("T")


def _start_url(url: str) -> str:
    """Without fragment, query and trailing slash, as the service compares it."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        raise ValueError("an address such as https://corp.awsapps.com/start")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("plain http is accepted for loopback addresses alone")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


class IdentityCenterOptions(ProviderOptions):
    """`start_url` and `region` of the instance; the rest is rarely needed."""

    start_url: Annotated[str, AfterValidator(_start_url)]
    region: str = Field(pattern=r"^[a-z]{2,}(-[a-z]+)+-\d+$")
    flow: Literal["auto", "pkce", "device"] = "auto"
    scopes: tuple[str, ...] = (SCOPE,)
    callback_port: int = Field(default=0, ge=0, le=65535)
    share_token_cache: str | None = Field(default=None, pattern=r"^[^\x00-\x1f/]+$")


class IdentityCenter(Provider):
    """Signs in once, then gets any number of roles; `login` may be called from many threads."""

    Options = IdentityCenterOptions
    options: IdentityCenterOptions

    def __init__(self, name: str, options: Any, ports: Any) -> None:
        super().__init__(name, options, ports)
        self._budget = Budget(RATE, BURST, ports.clock)
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, bool], Any] = {}

    @classmethod
    def check(cls, options: Any, request: Request) -> str | None:
        """A role is named by `account` and `role`."""
        del options
        if not (request.account and request.role):
            return "Identity Center needs `account` and `role`"
        return None

    def login(self, request: Request) -> Credentials:
        """Credentials of the request's role."""
        what = f"{request.role} in {request.account}"
        reply = self._with_token(
            f"GetRoleCredentials of {what}",
            lambda portal, token: portal.get_role_credentials(
                accountId=request.account, roleName=request.role, accessToken=token
            ),
            refused=RoleRefused(
                f"{self._user()} is not assigned the role {what}",
                hint=f"`awslogin discover {self.name}` shows what is assigned",
            ),
        )
        return _role_credentials(reply, request)

    def discover(self) -> list[Account]:
        """Every account and role that is assigned, read in parallel within the rate."""
        accounts = list(self._pages("list_accounts", "accountList"))
        self.ports.ui.progress(f"{len(accounts)} accounts")

        def roles(account: Mapping[str, str]) -> tuple[str, ...]:
            pages = self._pages("list_account_roles", "roleList", accountId=account["accountId"])
            return tuple(sorted(role["roleName"] for role in pages))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(roles, accounts))
        return sorted(
            (
                Account(account["accountId"], account.get("accountName"), names)
                for account, names in zip(accounts, found, strict=True)
            ),
            key=lambda account: account.account_id,
        )

    def logout(self) -> None:
        """End the portal's session and drop the tokens."""
        kept = self._kept_token()
        if kept:
            try:
                with self._portal_errors("Logout"):
                    self._client("sso").logout(accessToken=kept["accessToken"])
            except LoginRefused:
                pass  # it was over already
        self._forget_token()

    # The portal

    def _pages(self, operation: str, key: str, **arguments: str) -> Iterator[Mapping[str, str]]:
        token: str | None = None
        while True:
            more = {"nextToken": token} if token else {}

            def call(portal: Any, access: str, more: Mapping[str, str] = more) -> Any:
                return getattr(portal, operation)(
                    accessToken=access, maxResults=100, **arguments, **more
                )

            page = self._with_token(operation, call)
            yield from page[key]
            token = page.get("nextToken")
            if not token:
                return

    def _with_token(
        self,
        what: str,
        call: Callable[[Any, str], T],
        *,
        refused: AwsLoginError | None = None,
    ) -> T:
        """Call the portal; a token that it does not know any more is replaced once."""
        token = self._token()
        try:
            return self._paced(what, lambda: call(self._client("sso"), token), refused)
        except LoginRefused:
            token = self._token(instead_of=token)
            return self._paced(what, lambda: call(self._client("sso"), token), refused)

    def _paced(self, what: str, call: Callable[[], T], refused: AwsLoginError | None) -> T:
        """Call within the rate; a throttled call is repeated after the pause that is asked for."""
        for attempt in range(1, TRIES + 1):
            self._budget.wait()
            try:
                with self._portal_errors(what, refused):
                    return call()
            except _ThrottledError as throttled:
                if attempt == TRIES:
                    raise NetworkError(str(throttled), hint=throttled.hint) from throttled
                self._budget.hold(throttled.seconds or 0.5 * 2**attempt)
        raise AssertionError("unreachable")

    @contextmanager
    def _portal_errors(self, what: str, refused: AwsLoginError | None = None) -> Iterator[None]:
        from botocore.exceptions import ClientError

        with self.ports.aws.errors(what):
            try:
                yield
            except ClientError as error:
                code = error_code(error)
                if code == "UnauthorizedException":
                    raise LoginRefused(
                        f"{what}: the sign-in at {self.options.start_url} is over",
                        hint="sign in again",
                    ) from error
                if code in {"ForbiddenException", "ResourceNotFoundException"} and refused:
                    raise refused from error
                if code == "TooManyRequestsException":
                    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
                    raise _ThrottledError(what, headers.get("retry-after", "")) from error
                raise

    # The token

    def _token(self, instead_of: str | None = None) -> str:
        """An access token that holds: the kept one, a refreshed one, or one of a new sign-in."""
        with self._lock:
            kept = self._kept_token()
            now = self.ports.clock.now()
            if kept and kept["accessToken"] != instead_of and _until(kept) - now > EARLY:
                return str(kept["accessToken"])
            fresh = self._refreshed(kept) if kept else None
            if fresh is None and kept and kept["accessToken"] != instead_of and _until(kept) > now:
                return str(kept["accessToken"])
            if fresh is None:
                self._forget_token()
                fresh = self._signed_in()
            return str(fresh["accessToken"])

    def _kept_token(self) -> dict[str, Any] | None:
        """The token of an earlier command; AWS CLI's own where the two share one."""
        shared = self._shared_file()
        if shared:
            from providers.identity_center.shared_token import read_token

            return read_token(shared, self.options.start_url)
        return self.ports.secrets.recall("token")

    def _keep_token(self, reply: Mapping[str, Any], client: Mapping[str, Any]) -> dict[str, Any]:
        now = self.ports.clock.now()
        token = {
            "startUrl": self.options.start_url,
            "region": self.options.region,
            "accessToken": reply["accessToken"],
            "expiresAt": to_text(now + timedelta(seconds=int(reply["expiresIn"]))),
            "clientId": client["clientId"],
            "clientSecret": client["clientSecret"],
            "registrationExpiresAt": client["expiresAt"],
        }
        if reply.get("refreshToken"):
            token["refreshToken"] = reply["refreshToken"]
        shared = self._shared_file()
        if shared:
            from providers.identity_center.shared_token import write_token

            write_token(shared, token)
        else:
            until = None if "refreshToken" in token else from_text(token["expiresAt"])
            self.ports.secrets.remember("token", token, until=until)
        return token

    def _forget_token(self) -> None:
        shared = self._shared_file()
        if shared:
            shared.unlink(missing_ok=True)
        self.ports.secrets.forget("token")

    def _shared_file(self) -> Path | None:
        if not self.options.share_token_cache:
            return None
        from providers.identity_center.shared_token import path_of

        return path_of(self.options.share_token_cache)

    def _refreshed(self, kept: Mapping[str, Any]) -> dict[str, Any] | None:
        """A new access token for the refresh token; None where there is none or it is over."""
        if "refreshToken" not in kept or from_text(kept["registrationExpiresAt"]) <= (
            self.ports.clock.now()
        ):
            return None
        client = {
            "clientId": kept["clientId"],
            "clientSecret": kept["clientSecret"],
            "expiresAt": kept["registrationExpiresAt"],
        }
        try:
            reply = self._create_token(
                client, grantType="refresh_token", refreshToken=kept["refreshToken"]
            )
        except (LoginRefused, UnexpectedReply):
            return None
        return self._keep_token({"refreshToken": kept["refreshToken"], **reply}, client)

    # Signing in

    def _signed_in(self) -> dict[str, Any]:
        """A new sign-in by a person.

        Raises:
            InteractionRequired: There is nobody.
        """
        if not self.ports.ui.interactive:
            raise InteractionRequired(
                f"signing in at {self.options.start_url} needs a person and a browser",
                hint="run `awslogin` for this profile on a terminal; the sign-in is kept",
            )
        if self._flow() == "pkce":
            return self._by_browser()
        return self._by_device()

    def _flow(self) -> str:
        if self.options.flow != "auto":
            return self.options.flow
        here = self.ports.ui.may_browse and _browser_is_here(os.environ)
        return "pkce" if here else "device"

    def _by_device(self) -> dict[str, Any]:
        client = self._registered("device")
        with self._oidc_errors("StartDeviceAuthorization"):
            started = self._client("sso-oidc").start_device_authorization(
                clientId=client["clientId"],
                clientSecret=client["clientSecret"],
                startUrl=self.options.start_url,
            )
        address = started.get("verificationUriComplete") or started["verificationUri"]
        self.ports.ui.show(
            f"Sign in at {address}\nand check that it shows the code {started['userCode']}"
        )
        self.ports.ui.browse(address)
        reply = self._polled(client, started)
        return self._keep_token(reply, client)

    def _polled(self, client: Mapping[str, Any], started: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask for the token until the person has decided or the code has expired."""
        clock = self.ports.clock
        interval = float(started.get("interval") or 5)
        end = clock.monotonic() + float(started.get("expiresIn") or 600)
        while clock.monotonic() < end:
            clock.sleep(interval)
            try:
                return self._create_token(
                    client, grantType=DEVICE_GRANT, deviceCode=started["deviceCode"]
                )
            except _NotYetError as not_yet:
                interval += not_yet.slower
        raise LoginRefused(
            "nobody confirmed the sign-in before its code expired", hint="run it again"
        )

    def _by_browser(self) -> dict[str, Any]:
        from broker.ports.loopback import LoopbackListener

        client = self._registered("pkce")
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        digest = hashlib.sha256(verifier.encode()).digest()
        with LoopbackListener(state, self.options.callback_port) as listener:
            query = {
                "response_type": "code",
                "client_id": client["clientId"],
                "redirect_uri": listener.url,
                "state": state,
                "code_challenge_method": "S256",
                "scopes": " ".join(self.options.scopes),
                "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            }
            address = f"{self._oidc_endpoint()}/authorize?{urlencode(query)}"
            self.ports.ui.show(f"Sign in in the browser; if none opens, go to\n{address}")
            self.ports.ui.browse(address)
            answer = listener.wait(BROWSER_PATIENCE)
            redirect = listener.url
        if answer is None:
            raise LoginRefused(
                "nobody finished the sign-in in the browser",
                hint="run it again, or with --no-browser for a code",
            )
        if "code" not in answer:
            raise _denied(answer.get("error", ""), answer.get("error_description", ""))
        reply = self._create_token(
            client,
            grantType="authorization_code",
            code=answer["code"],
            redirectUri=redirect,
            codeVerifier=verifier,
        )
        return self._keep_token(reply, client)

    def _registered(self, flow: str) -> dict[str, Any]:
        """This machine's client, registered anew before it expires."""
        kept = self.ports.secrets.recall(f"registration-{flow}")
        if kept and from_text(kept["expiresAt"]) - self.ports.clock.now() > REGISTRATION_LEFT:
            return kept
        more: dict[str, Any] = {}
        if flow == "pkce":
            more = {
                "grantTypes": ["authorization_code", "refresh_token"],
                "redirectUris": [REDIRECT],
                "issuerUrl": self.options.start_url,
            }
        if self.options.scopes:
            more["scopes"] = list(self.options.scopes)
        with self._oidc_errors("RegisterClient"):
            reply = self._client("sso-oidc").register_client(
                clientName=f"awslogin-{platform.node() or 'host'}"[:64],
                clientType="public",
                **more,
            )
        until = datetime.fromtimestamp(int(reply["clientSecretExpiresAt"]), UTC)
        client = {
            "clientId": reply["clientId"],
            "clientSecret": reply["clientSecret"],
            "expiresAt": to_text(until),
        }
        self.ports.secrets.remember(f"registration-{flow}", client, until=until)
        return client

    def _create_token(self, client: Mapping[str, Any], **grant: str) -> Mapping[str, Any]:
        with self._oidc_errors("CreateToken"):
            reply: Mapping[str, Any] = self._client("sso-oidc", once=True).create_token(
                clientId=client["clientId"], clientSecret=client["clientSecret"], **grant
            )
        Secret(reply["accessToken"])
        return reply

    @contextmanager
    def _oidc_errors(self, what: str) -> Iterator[None]:
        from botocore.exceptions import ClientError

        with self.ports.aws.errors(what):
            try:
                yield
            except ClientError as error:
                told = self._oidc_error(error_code(error), what)
                if told:
                    raise told from error
                raise

    def _oidc_error(self, code: str, what: str) -> Exception | None:
        if code == "AuthorizationPendingException":
            return _NotYetError(0)
        if code == "SlowDownException":
            return _NotYetError(5)
        if code == "AccessDeniedException":
            return _denied("access_denied", "")
        if code == "ExpiredTokenException":
            return LoginRefused("the sign-in's code has expired", hint="run it again")
        if code == "InvalidGrantException":
            return LoginRefused(f"{what}: the sign-in is over", hint="sign in again")
        if code in {"InvalidClientException", "UnauthorizedClientException"}:
            for flow in ("device", "pkce"):
                self.ports.secrets.forget(f"registration-{flow}")
            return LoginRefused(
                f"{what}: Identity Center in {self.options.region} does not know this client",
                hint="run it again; if it stays, check `region` of the provider",
            )
        if code in {"InvalidRequestException", "InvalidRequestRegionException"}:
            return ConfigError(
                f"{what}: Identity Center in {self.options.region} does not know"
                f" {self.options.start_url}",
                hint=f"check `start_url` and `region` of the provider {self.name}",
            )
        return None

    def _client(self, service: str, *, once: bool = False) -> Any:
        """One client for all threads: making one costs more than a call."""
        if (service, once) not in self._clients:
            made = self.ports.aws.client(service, self.options.region, once=once)
            self._clients[service, once] = made
        return self._clients[service, once]

    def _oidc_endpoint(self) -> str:
        override = endpoint_override("sso-oidc", os.environ)
        return override or str(self._client("sso-oidc").meta.endpoint_url)

    def _user(self) -> str:
        return f"the sign-in of {self.name}"


class _NotYetError(Exception):
    """The person has not decided; `slower` seconds are added to the interval."""

    def __init__(self, slower: float) -> None:
        super().__init__()
        self.slower = slower


class _ThrottledError(Exception):
    """The portal asks for a pause."""

    def __init__(self, what: str, retry_after: str) -> None:
        super().__init__(f"{what}: Identity Center is throttling")
        self.seconds = float(retry_after) if retry_after.isdigit() else None
        self.hint = "try again later"


def _denied(error: str, description: str) -> LoginRefused:
    said = f": {description or error}" if error != "access_denied" else ""
    return LoginRefused(f"the sign-in was denied in the browser{said}", hint="run it again")


def _until(token: Mapping[str, Any]) -> datetime:
    return from_text(token["expiresAt"])


def _role_credentials(reply: Mapping[str, Any], request: Request) -> Credentials:
    try:
        keys = reply["roleCredentials"]
        return Credentials(
            access_key_id=keys["accessKeyId"],
            secret_access_key=Secret(keys["secretAccessKey"]),
            session_token=Secret(keys["sessionToken"]),
            expires_at=datetime.fromtimestamp(keys["expiration"] / 1000, UTC),
            account_id=request.account,
        )
    except (KeyError, TypeError) as error:
        raise UnexpectedReply("Identity Center answered without credentials") from error


def _browser_is_here(environ: Mapping[str, str]) -> bool:
    """Whether a browser that we open can reach a port of this machine."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return False
    if sys.platform in {"darwin", "win32"}:
        return True
    contained = Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()
    in_wsl = "WSL_DISTRO_NAME" in environ or "microsoft" in platform.release().lower()
    displayed = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return bool(displayed) and not contained and not in_wsl
