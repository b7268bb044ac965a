"""AWS clients for providers. Owns isolation, endpoints, retries, and AWS's errors as ours.

The clients obey nothing of the person's AWS files or profile variables: a botocore session with
both files at the null device, explicit credentials or none, an explicit region and endpoint.
Facts: AWS STS API Reference, "Common Errors" and the pages of each action.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from broker.durations import HOUR
from broker.errors import (
    AwsLoginError,
    ConfigError,
    LoginRefused,
    NetworkError,
    RoleRefused,
    UnexpectedReply,
)
from broker.ports.deadline import TimeIsUpError, within
from broker.ports.urls import require_safe
from broker.provider import Credentials, Request
from broker.secret import Secret

TRIES = 3
DEADLINE = 20.0
"""Seconds for one reply, all its bytes."""
LONGEST_PAUSE = 5.0
"""Seconds that are waited at most where AWS asks for a pause."""

_ENDPOINT_NAMES = {
    "sts": "STS",
    "sso": "SSO",
    "sso-oidc": "SSO_OIDC",
    "iam": "IAM",
    "signin": "SIGNIN",
}

_REFUSED_KEYS = {
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "AuthFailure",
    "IncompleteSignature",
    "MissingAuthenticationToken",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}
_REFUSED_PROOF = {"IDPRejectedClaim", "InvalidIdentityToken"}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "IDPCommunicationError",
    "ServiceUnavailable",
}


def endpoint_override(service: str, environ: Mapping[str, str]) -> str | None:
    """The endpoint that the environment sets for a service of `_ENDPOINT_NAMES`.

    Raises:
        ConfigError: It is plain http to another machine, or no URL.
    """
    name = f"AWS_ENDPOINT_URL_{_ENDPOINT_NAMES[service]}"
    name = name if environ.get(name) else "AWS_ENDPOINT_URL"
    return _checked(name, environ)


def federation_override(environ: Mapping[str, str]) -> str | None:
    """The console's federation endpoint that the environment sets, as a full address.

    Raises:
        ConfigError: It is plain http to another machine, or no URL.
    """
    given = _checked("AWSLOGIN_FEDERATION_URL", environ)
    if given:
        return given
    signin = "AWS_ENDPOINT_URL_SIGNIN"
    base = _checked(signin if environ.get(signin) else "AWS_ENDPOINT_URL", environ)
    return f"{base.rstrip('/')}/federation" if base else None


def _checked(name: str, environ: Mapping[str, str]) -> str | None:
    """The address in a variable, if it may be used."""
    url = environ.get(name)
    if not url:
        return None
    try:
        require_safe(url)
    except UnexpectedReply as error:
        raise ConfigError(f"{name}: {error.message}", hint=error.hint) from None
    return url


DEFAULT_REGION = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
}
"""Of each partition, where nothing names a region."""


def partition_of(region: str, arn: str | None = None) -> str:
    """The partition: an ARN says it, else the region does (`aws`, `aws-cn`, `aws-us-gov`, …)."""
    if arn and re.match(r"arn:[a-z-]+:", arn):
        return arn.split(":")[1]
    for prefix, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("eusc-", "aws-eusc")):
        if region.startswith(prefix):
            return partition
    return "aws"


def region_for(arn: str | None, region: str = DEFAULT_REGION["aws"]) -> str:
    """The region, unless the ARN lies in another partition: then a region of that one."""
    partition = partition_of(region, arn)
    return region if partition == partition_of(region) else DEFAULT_REGION.get(partition, region)


def account_of(arn: str | None) -> str | None:
    """The account id in an ARN."""
    parts = (arn or "").split(":")
    return parts[4] if len(parts) > 5 and re.fullmatch(r"\d{12}", parts[4], re.ASCII) else None


class Aws:
    """Makes isolated clients and speaks the STS calls that more than one part needs."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._session: Any = None
        self._lock = threading.Lock()

    def endpoint(self, service: str) -> str | None:
        """The endpoint that the environment sets for a service; see `endpoint_override`."""
        return endpoint_override(service, self._environ)

    def client(
        self,
        service: str,
        region: str,
        credentials: Credentials | None = None,
        *,
        once: bool = False,
    ) -> Any:
        """A boto3 client.

        Args:
            service: `sts`, `sso`, `sso-oidc` or `iam`.
            region: Its region.
            credentials: Signs with these; None sends unsigned requests.
            once: Never repeat a request: it carries a one-time code, a refresh token, or creates
                a key.
        """
        session = self._boto3()
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        from broker.ports.tls import ca_bundle

        keys = {}
        if credentials:
            token = credentials.session_token
            keys = {
                "aws_access_key_id": credentials.access_key_id,
                "aws_secret_access_key": credentials.secret_access_key.reveal(),
                "aws_session_token": token.reveal() if token else None,
            }
        try:
            client = session.client(
                service,
                region_name=region,
                endpoint_url=endpoint_override(service, self._environ),
                verify=ca_bundle(self._environ) or True,
                config=Config(
                    signature_version=None if credentials else UNSIGNED,
                    connect_timeout=5,
                    read_timeout=20 if once else 8,
                    retries={"mode": "standard", "total_max_attempts": 1 if once else TRIES},
                    max_pool_connections=32,
                    parameter_validation=False,  # AWS is the judge; its rules change first
                    ignore_configured_endpoint_urls=True,
                ),
                **keys,
            )
        except (BotoCoreError, ValueError, OSError) as error:
            raise ConfigError(
                f"no client for {service} in {region}: {_one_line(str(error))}",
                hint="check the region and the AWS_ variables of the environment",
            ) from error
        client.meta.events.register("before-send", _Sender(client, once=once))
        return client

    def load(self) -> None:
        """Import what every client needs, while somebody else is waited for anyway."""
        self._boto3()

    def _boto3(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._isolated()
        return self._session

    def _isolated(self) -> Any:
        """A session that obeys nothing of the person's files and profile variables."""
        import boto3
        import botocore.session
        from botocore.loaders import Loader

        from broker.ports.tls import trust_the_system

        class OwnData(Loader):  # type: ignore[misc]
            """AWS's own data of the services used here, without a search among all of them."""

            def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002
                return list(_ENDPOINT_NAMES)

        trust_the_system(self._environ)
        unset = (None, None, None, None)
        session = botocore.session.Session(
            session_vars={
                "profile": unset,
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
                "sts_regional_endpoints": (None, None, "regional", None),
            }
        )
        own = OwnData([Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
        session.register_component("data_loader", own)
        return boto3.Session(botocore_session=session)

    @contextlib.contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Turn botocore's exceptions inside the block into ours.

        Args:
            what: What was being done, for the message: `AssumeRole arn:…`.
        """
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            HTTPClientError,
        )
        from botocore.exceptions import (
            ConnectionError as Unreachable,
        )
        from botocore.parsers import ResponseParserError

        try:
            yield
        except ClientError as error:
            raise translated(error, what) from error
        except (Unreachable, HTTPClientError) as error:
            raise NetworkError(
                f"{what}: {_unreachable(error)}",
                hint="check the network, the proxy and AWS_ENDPOINT_URL, then try again",
            ) from error
        except (
            BotoCoreError,
            ResponseParserError,
            AttributeError,  # botocore's parsers expect an object
            KeyError,
            OverflowError,
            TypeError,
            ValueError,
        ) as error:
            raise UnexpectedReply(
                f"{what}: AWS's answer is not understood ({type(error).__name__})",
                hint="check AWS_ENDPOINT_URL and whether a proxy or a sign-in page answers instead",
            ) from error

    def assume_role(
        self, credentials: Credentials, request: Request, *, mfa_code: str | None = None
    ) -> Credentials:
        """AssumeRole with a user's keys or a session's.

        Args:
            credentials: Who assumes.
            request: `role_arn`, `duration` and the rest; a `mfa_code` goes with `mfa_serial`.
            mfa_code: A one-time code; the call is then never repeated.

        Raises:
            RoleRefused: AWS refuses the role or the duration.
            LoginRefused: The keys, the session or the code are refused.
        """
        arguments: dict[str, Any] = {
            "RoleArn": request.role_arn,
            "RoleSessionName": request.session_name,
            "DurationSeconds": request.duration or HOUR,
            "ExternalId": request.external_id,
            "SourceIdentity": request.source_identity,
            "Policy": request.policy,
            "PolicyArns": [{"arn": arn} for arn in request.policy_arns],
            "Tags": [{"Key": key, "Value": value} for key, value in request.session_tags.items()],
            "TransitiveTagKeys": list(request.transitive_tags),
        }
        if mfa_code:
            arguments |= {"SerialNumber": request.mfa_serial, "TokenCode": mfa_code}
        client = self.client("sts", request.region, credentials, once=mfa_code is not None)
        with self.errors(f"AssumeRole {request.role_arn}"):
            reply = client.assume_role(
                **{name: value for name, value in arguments.items() if value}
            )
        return credentials_of(reply)

    def caller_identity(self, credentials: Credentials, region: str) -> Mapping[str, str]:
        """GetCallerIdentity: `Arn`, `Account`, `UserId`."""
        with self.errors("GetCallerIdentity"):
            reply: Mapping[str, str] = self.client("sts", region, credentials).get_caller_identity()
        if not all(reply.get(name) for name in ("Arn", "Account", "UserId")):
            raise UnexpectedReply("GetCallerIdentity: STS answered without an identity")
        return reply


class _Sender:
    """Sends a client's requests: a dripping reply ends in time, a pause that is asked for is kept.

    botocore has no limit for a whole reply, and its retries do not read `Retry-After`.
    """

    def __init__(self, client: Any, *, once: bool) -> None:
        self._send = client._endpoint.http_session.send  # noqa: SLF001 - botocore's own way is this
        self._body_starts = b"<" if client.meta.service_model.protocol == "query" else b"{"
        self._tries = 1 if once else TRIES

    def __call__(self, request: Any, **_: Any) -> Any:
        from botocore.exceptions import HTTPClientError, ReadTimeoutError

        try:
            reply = within(DEADLINE, lambda: self._send(request))
        except TimeIsUpError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        if reply.status_code == 429 or reply.status_code >= 500:
            if f"attempt={self._tries};" not in str(request.headers.get("amz-sdk-request")):
                time.sleep(_pause(reply.headers.get("Retry-After", "")))
            a_page = not reply.content.lstrip().startswith(self._body_starts)
            throttled = reply.status_code == 429 and self._body_starts == b"{"
            if a_page and not throttled:  # a JSON service's 429 is known by its status alone
                raise HTTPClientError(error="", status=reply.status_code)
        return reply


def _pause(retry_after: str) -> float:
    """Seconds to wait before one more try; longer ones are not worth a person's time."""
    return min(float(retry_after), LONGEST_PAUSE) if retry_after.isdecimal() else 0.0


def credentials_of(reply: Mapping[str, Any]) -> Credentials:
    """The credentials in the reply of any STS action.

    Raises:
        UnexpectedReply: The reply holds none.
    """
    try:
        keys = reply["Credentials"]
        expires_at: datetime = keys["Expiration"]
        arn = reply.get("AssumedRoleUser", {}).get("Arn")
        return Credentials(
            access_key_id=keys["AccessKeyId"],
            secret_access_key=Secret(keys["SecretAccessKey"]),
            session_token=Secret(keys["SessionToken"]),
            expires_at=expires_at,
            arn=arn,
            account_id=account_of(arn),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UnexpectedReply("STS answered without credentials") from error


def error_code(error: Any) -> str:
    """AWS's code of a botocore ClientError; empty for another exception."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def translated(error: Any, what: str) -> AwsLoginError:
    """Our error for a botocore ClientError. AWS's own sentence is kept: it names the cause."""
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = _one_line(str(error.response.get("Error", {}).get("Message", "") or code))
    message = f"{what}: {said} ({code})"
    if code in _THROTTLED or status == 429 or status >= 500:
        return NetworkError(message, hint="AWS is throttling or failing: try again later")
    if code in _REFUSED_KEYS:
        if re.search(r"signature (expired|not yet current)", said, re.IGNORECASE):
            return LoginRefused(message, hint="this machine's clock is off: set it")
        return LoginRefused(
            message,
            hint="the access key is wrong or deleted: `awslogin add PROFILE` stores it anew",
        )
    if code in _EXPIRED:
        return LoginRefused(message, hint="sign in again with `--force`")
    if code in _REFUSED_PROOF:
        return LoginRefused(
            message, hint="the identity provider's registration in IAM does not accept this sign-in"
        )
    if code == "AccessDenied" and "multifactorauthentication failed" in said.lower():
        return LoginRefused(message, hint="wait for the next one-time code and try again")
    if code == "RegionDisabledException":
        return ConfigError(message, hint="enable STS in that region or set another `region`")
    if code == "PackedPolicyTooLarge":
        return ConfigError(message, hint="shorten `policy`, `policy_arns` or `session_tags`")
    if code in {"AccessDenied", "AccessDeniedException", "ForbiddenException"}:
        return RoleRefused(message, hint="check the role's name and its trust policy")
    if code == "ValidationError" and "duration" in said.lower():
        return RoleRefused(message, hint="set a shorter `duration`")
    if code in {"ValidationError", "MalformedPolicyDocument"}:
        return ConfigError(message)
    return UnexpectedReply(message)


def _unreachable(error: Exception) -> str:
    """What botocore could not do, without what it was told to send."""
    from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError, SSLError

    told = getattr(error, "kwargs", {})
    host = urlsplit(str(told.get("endpoint_url", ""))).netloc or "AWS"
    if "status" in told:
        return f"{host} answered {told['status']}"
    if isinstance(error, ReadTimeoutError | ConnectTimeoutError):
        return f"{host} did not answer in time"
    if isinstance(error, SSLError):
        return f"{host} shows a certificate that is not trusted here"
    return f"{host} cannot be reached"


def _one_line(text: str) -> str:
    return " ".join(text.split())
