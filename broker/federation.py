"""AWS's federation endpoint: a session becomes an address that signs in to the console.

Owns hosts of partitions, destinations and the two steps; not which credentials are taken. Source:
IAM User Guide, "Enable custom identity broker access to the AWS console"; hosts as in botocore's
endpoint rules for `signin`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from broker import arn
from broker.errors import LoginRefused, UnexpectedReply, UsageError
from broker.ports.aws_endpoints import federation_override
from broker.ports.urls import origin
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.config import Profile
    from broker.ports import LaterHttp
    from broker.provider import Credentials

SHORTEST, LONGEST = 900, 43200
"""Seconds of SessionDuration."""

_DOMAINS = {
    "aws": "aws.amazon.com",
    "aws-cn": "amazonaws.cn",
    "aws-us-gov": "amazonaws-us-gov.com",
    "aws-eusc": "amazonaws-eusc.eu",
}
_REGIONAL = {"aws-eusc"}
"""Partitions that have no sign-in host without a region."""
_PATHS = {
    "cognito-idp": "cognito/v2",
    "elb": "ec2/v2",
    "elbv2": "ec2/v2",
    "logs": "cloudwatch",
    "sso": "singlesignon",
    "ssm": "systems-manager",
    "stepfunctions": "states",
    "sfn": "states",
}
"""Services whose page in the console has another name than their API."""


def partition_of(profile: Profile) -> str:
    """The partition that a profile signs in to."""
    return arn.partition_of(profile.region, profile.role_arn)


def endpoint(partition: str, region: str, environ: Mapping[str, str]) -> str:
    """The federation endpoint: the environment's, else the partition's own.

    Raises:
        UsageError: The partition has none that we know.
        ConfigError: The environment's is plain http to another machine.
    """
    given = federation_override(environ)
    if given:
        return given
    regional = f"{region}." if partition in _REGIONAL else ""
    return f"https://{regional}signin.{_domain(partition)}/federation"


def destination(partition: str, region: str, *, service: str | None, url: str | None) -> str:
    """The page to open: a service's, the one that is given, or the console's home.

    Raises:
        UsageError: Both are given, or the address is not one of this partition's console.
    """
    domain = _domain(partition)
    if service and url:
        raise UsageError("--service and --destination exclude each other")
    if url:
        if not _is_below(url, domain):
            raise UsageError(f"--destination is no https address below {domain}")
        return url
    if service and not re.fullmatch(r"[a-z0-9-]+(/[a-z0-9-]+)*", service):
        raise UsageError(f"--service takes a name such as s3 or ec2, not {service}")
    path = _PATHS.get(service, service) if service else "console"
    return f"https://console.{domain}/{path}/home?region={region}"


def _is_below(url: str, domain: str) -> bool:
    """Whether every browser takes this for an https address at a domain or below it.

    Browsers take a backslash for a slash, drop line ends, and make ASCII of other letters.
    """
    match = re.match(r"https://([A-Za-z0-9.-]+)(:\d+)?([/?#]|$)", url)
    clean = not re.search(r"[\x00-\x20\x7f\\]", url)
    return bool(match and clean and f".{match[1].lower()}".endswith(f".{domain}"))


def signin_token(
    http: LaterHttp, endpoint: str, credentials: Credentials, seconds: int | None
) -> str:
    """A sign-in token for credentials; they travel in the body, out of logs of addresses.

    Args:
        http: The way there.
        endpoint: Its full address.
        credentials: With a session token.
        seconds: SessionDuration, where these credentials may have one.

    Raises:
        LoginRefused: The endpoint does not take the session.
        NetworkError, UnexpectedReply: As they say.
    """
    token = credentials.session_token
    session = {
        "sessionId": credentials.access_key_id,
        "sessionKey": credentials.secret_access_key.reveal(),
        "sessionToken": token.reveal() if token else "",
    }
    form = {"Action": "getSigninToken", "Session": json.dumps(session)}
    if seconds is not None:
        form["SessionDuration"] = str(min(max(seconds, SHORTEST), LONGEST))
    reply = http.session().post(
        endpoint, form=form, only_to={origin(endpoint)}, retry=True, follow=False
    )
    if reply.status == 400 and seconds is not None:  # a role may allow less than its session has
        return signin_token(http, endpoint, credentials, None)
    host = urlsplit(endpoint).netloc
    if reply.status in {400, 401, 403}:
        raise LoginRefused(
            f"{host} does not take this session for the console ({reply.status})",
            hint="sign in again with `--force`",
        )
    document = reply.json()
    found = document.get("SigninToken") if isinstance(document, dict) else None
    if not isinstance(found, str) or not found:
        raise UnexpectedReply(f"{host} answered {reply.status} without a sign-in token")
    return Secret(found).reveal()  # masked from now on, wherever it might be shown


def login_url(endpoint: str, page: str, token: str) -> str:
    """The address that signs in whoever opens it, within 15 minutes."""
    query = {
        "Action": "login",
        "Issuer": "awslogin",
        "Destination": page,
        "SigninToken": token,
    }
    return f"{endpoint}?{urlencode(query)}"


def _domain(partition: str) -> str:
    if partition not in _DOMAINS:
        raise UsageError(f"the console of partition {partition} is not known to awslogin")
    return _DOMAINS[partition]
