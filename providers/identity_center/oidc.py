"""Identity Center's OIDC service: its four calls, this machine's registration, its errors as ours.

Source: IAM Identity Center OIDC API Reference; RFC 6749 section 5.2, RFC 8628 section 3.5.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from broker.errors import AwsLoginError, ConfigError, LoginRefused, NetworkError, UnexpectedReply
from broker.ports import Ports
from broker.ports.aws_errors import error_code
from broker.ports.clock import from_text, to_text
from broker.ports.device_flow import SLOW_DOWN_SECONDS, NotYetError
from broker.secret import Secret
from broker.terminal_text import one_line
from providers.identity_center.options import IdentityCenterOptions
from providers.identity_center.place import Place
from providers.identity_center.start_url import region_in

REDIRECT = "http://127.0.0.1/oauth/callback"
"""As it is registered: without port, any port may be used (RFC 8252 section 7.3)."""
REGISTRATION_LEFT = timedelta(minutes=15)
LONGEST_PAUSE = 60.0
"""Seconds that polling slows down by at most on a 429."""
_WAIT = "CreateToken: Identity Center asks to wait"
FLOWS = ("pkce", "device")

Client = dict[str, Any]
"""`clientId`, `clientSecret`, `expiresAt` (UTC, as text), `startUrl`."""


class UnknownClientError(LoginRefused):
    """The service does not know this machine's registration any more."""


class GrantOver(LoginRefused):
    """The code or refresh token is spent, revoked or too old."""


class Oidc:
    """The calls of one sign-in, in one Region."""

    def __init__(
        self, name: str, options: IdentityCenterOptions, place: Place, ports: Ports
    ) -> None:
        self._name = name
        self._options = options
        self._place = place
        self._ports = ports
        self._clients: dict[tuple[str, bool | None, bool], Any] = {}

    def registered(self, flow: str, *, anew: bool = False) -> Client:
        """This machine's client, registered anew before it expires.

        Args:
            flow: `pkce` or `device`; each has a registration of its own.
            anew: Register even where an earlier registration still holds.
        """
        stored = self._ports.secrets.recall(f"registration-{flow}")
        now = self._ports.clock.now()
        portal = self._place.start_url
        if stored and not anew and from_text(stored["expiresAt"]) - now > REGISTRATION_LEFT:
            Secret(stored["clientSecret"])
            if stored.get("startUrl", portal) == portal:
                return stored
        arguments: dict[str, Any] = {"clientName": _client_name(), "clientType": "public"}
        if flow == "pkce":
            arguments["grantTypes"] = ["authorization_code", "refresh_token"]
            arguments["redirectUris"] = [REDIRECT]
            arguments["issuerUrl"] = portal
        if self._options.scopes:
            arguments["scopes"] = list(self._options.scopes)
        reply = self._call("RegisterClient", arguments)
        with _understood("RegisterClient"):
            until = datetime.fromtimestamp(int(reply["clientSecretExpiresAt"]), UTC)
            client = {
                "clientId": reply["clientId"],
                "clientSecret": Secret(reply["clientSecret"]).reveal(),
                "expiresAt": to_text(until),
                "startUrl": portal,
            }
        self._ports.secrets.remember(f"registration-{flow}", client, until=until)
        return client

    def forget_registrations(self) -> None:
        """The next sign-in registers anew."""
        for flow in FLOWS:
            self.forget_registration(flow)

    def forget_registration(self, flow: str) -> None:
        """The next sign-in by this flow registers anew."""
        self._ports.secrets.forget(f"registration-{flow}")

    def start_device(self, client: Client) -> Mapping[str, Any]:
        """StartDeviceAuthorization: `deviceCode`, `userCode`, `verificationUri`, …."""
        reply = self._call(
            "StartDeviceAuthorization",
            {
                "clientId": client["clientId"],
                "clientSecret": client["clientSecret"],
                "startUrl": self._place.start_url,
            },
        )
        with _understood("StartDeviceAuthorization"):
            _texts(reply["deviceCode"], reply["userCode"], reply["verificationUri"])
            _texts(reply.get("verificationUriComplete") or "")
            Secret(reply["deviceCode"])
        return reply

    def create_token(self, client: Client, **grant: str) -> Mapping[str, Any]:
        """CreateToken, sent once: `accessToken`, `expiresIn` (seconds), maybe `refreshToken`.

        Raises:
            NotYetError: The person has not decided yet, or this is asked too often.
            GrantOver: What was exchanged does not hold any more.
        """
        who = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
        reply = self._call("CreateToken", who | grant)
        with _understood("CreateToken"):
            _texts(reply["accessToken"], reply.get("refreshToken") or "")
            Secret(reply["accessToken"])
            Secret(reply.get("refreshToken") or "")
            self._ports.clock.now() + timedelta(seconds=int(reply["expiresIn"]))
        return reply

    def authorize_url(self, client: Client, redirect: str, state: str, challenge: str) -> str:
        """Where the browser begins the PKCE flow."""
        own = self._ports.aws.endpoint("sso-oidc")
        base = str(own or self._client(once=False).meta.endpoint_url)
        query = {
            "response_type": "code",
            "client_id": client["clientId"],
            "redirect_uri": redirect,
            "state": state,
            "code_challenge_method": "S256",
            "scopes": " ".join(self._options.scopes),
            "code_challenge": challenge,
        }
        return f"{base.rstrip('/')}/authorize?{urlencode(query)}"

    def _client(self, *, once: bool) -> Any:
        region, dual_stack = self._place.region, self._place.dual_stack
        key = (region, dual_stack, once)
        if key not in self._clients:
            made = self._ports.aws.client(
                "sso-oidc", region, once=once, dual_stack=dual_stack, places=self._place.among
            )
            made.meta.events.register("before-parse.sso-oidc.*", _name_the_error)
            self._clients[key] = made
        return self._clients[key]

    def _call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        method = re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower()
        client = self._client(once=operation == "CreateToken")
        try:
            with self._ports.aws.errors(operation):
                try:
                    reply: dict[str, Any] = getattr(client, method)(**arguments)
                except ClientError as error:
                    failure = self._failure_of(operation, error)
                    if failure:
                        raise failure from error
                    raise
        except NetworkError as error:
            error.hint += f"; is `region: {self._place.region}` of {self._name} right?"
            raise
        return reply

    def _failure_of(self, operation: str, error: Any) -> Exception | None:
        """What to raise for an error of this service; None leaves it to the AWS port."""
        code, sentence = error_code(error), _sentence_of(error)
        if code == "AuthorizationPendingException":
            return NotYetError(_WAIT)
        if code == "SlowDownException":
            return NotYetError(_WAIT, slower=SLOW_DOWN_SECONDS)
        reply = error.response.get("ResponseMetadata", {})
        if operation == "CreateToken" and reply.get("HTTPStatusCode") == 429:
            asked = reply.get("HTTPHeaders", {}).get("retry-after", "")
            return NotYetError(_WAIT, slower=_pause(asked), answered=False)
        if code == "AccessDeniedException":
            return denied(sentence)
        if code == "ExpiredTokenException":
            return GrantOver(
                "the sign-in's code has expired before it was confirmed", hint="run it again"
            )
        if code == "InvalidGrantException":
            return GrantOver(f"the sign-in is over{_after(sentence)}", hint="sign in again")
        if code in {"InvalidClientException", "UnauthorizedClientException"}:
            self.forget_registrations()
            return UnknownClientError(
                f"{operation}: Identity Center in {self._place.region} does not know this"
                f" machine's registration{_after(sentence)}",
                hint="run it again; if it stays, check `region` of the provider",
            )
        if code == "InvalidScopeException":
            return ConfigError(
                f"Identity Center refuses the scopes {' '.join(self._options.scopes)}",
                hint=f"check `scopes` of the provider {self._name}",
            )
        if code == "InvalidRequestRegionException":
            return self._wrong_place(str(error.response.get("region") or ""), sentence)
        if code == "InvalidRequestException" and operation != "CreateToken":
            return self._wrong_place("", sentence)
        return None

    def _wrong_place(self, right_region: str, sentence: str) -> AwsLoginError:
        """The instance is not there: the region is wrong, or the start URL is."""
        place = self._place
        right_region = right_region or region_in(place.start_url) or ""
        if right_region and right_region != place.region:
            return ConfigError(
                f"Identity Center in {place.region} does not hold {place.start_url}:"
                f" it is in {right_region}{_after(sentence)}",
                hint=f"set `region: {right_region}` of the provider {self._name}",
            )
        return ConfigError(
            f"Identity Center in {place.region} does not know {place.start_url}{_after(sentence)}",
            hint=f"check `start_url` and `region` of the provider {self._name}"
            ": the region is the one Identity Center itself is in",
        )


def denied(sentence: str) -> LoginRefused:
    """The person, or the instance's rules, said no."""
    return LoginRefused(
        f"the sign-in was denied in the browser{_after(sentence)}",
        hint="run it again and allow it; if you did, ask who administers Identity Center",
    )


def _client_name() -> str:
    """What the consent page shows of us."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", platform.node()) or "host"
    return f"awslogin-{host}"[:64]


def _after(sentence: str) -> str:
    """The service's own sentence on one line, in brackets, to stand behind ours; else empty."""
    line = one_line(sentence)
    return f" ({line})" if line else ""


def _sentence_of(error: Any) -> str:
    """The service's own sentence about an error; empty where it says none."""
    response = error.response
    return str(response.get("error_description") or response.get("Error", {}).get("Message") or "")


def _pause(retry_after: str) -> float:
    """Seconds to wait where the service says `Retry-After`, or nothing."""
    return max(
        SLOW_DOWN_SECONDS, min(float(retry_after), LONGEST_PAUSE) if retry_after.isdecimal() else 0
    )


def _texts(*values: object) -> None:
    """Raises TypeError where one is no text."""
    if not all(isinstance(value, str) for value in values):
        raise TypeError


@contextmanager
def _understood(operation: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnexpectedReply(f"{operation} answered without what it should hold") from error


def _name_the_error(response_dict: dict[str, Any], **more: Any) -> None:
    """An error that only the JSON names (RFC 6749) gets the header that botocore reads."""
    del more
    headers = response_dict["headers"]
    if response_dict["status_code"] < 400 or headers.get("x-amzn-errortype"):
        return
    try:
        name = json.loads(response_dict["body"])["error"]
    except (ValueError, KeyError, TypeError):
        return
    camel_case = "".join(word.capitalize() for word in str(name).split("_"))
    headers["x-amzn-errortype"] = f"{camel_case}Exception"
