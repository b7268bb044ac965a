"""AWS's errors as ours: one table of its codes, first row that fits.

Facts: AWS STS API Reference, "Common Errors" and the pages of each action.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from broker.errors import (
    AwsLoginError,
    ConfigError,
    LoginRefused,
    NetworkError,
    RoleRefused,
    Throttled,
    UnexpectedReply,
)
from broker.ports.route import certificate_fault, proxy_fault
from broker.terminal_text import one_line

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_MOST_LETTERS = 2000
"""Of a sentence of AWS: those about policies name several ARNs."""


@dataclass(frozen=True)
class _Row:
    """What a code means; with `pattern`, only where AWS's sentence matches it (in any case)."""

    error: type[AwsLoginError]
    codes: str
    hint: str = ""
    pattern: str = ""

    def fits(self, code: str, sentence: str) -> bool:
        return code in self.codes.split() and bool(re.search(self.pattern, sentence, re.IGNORECASE))


_KEYS = (
    "InvalidClientTokenId SignatureDoesNotMatch UnrecognizedClientException AuthFailure"
    " IncompleteSignature MissingAuthenticationToken"
)
_TRY_AGAIN = (
    "Throttling ThrottlingException ThrottledException RequestThrottled TooManyRequestsException"
    " RequestLimitExceeded SlowDown IDPCommunicationError ServiceUnavailable RequestTimeout"
    " RequestTimeoutException InternalFailure InternalError"
)
_CLOCK = "this machine's clock is off: set it"

_TABLE = (
    _Row(Throttled, _TRY_AGAIN, "AWS is throttling or failing: try again later"),
    _Row(
        NetworkError,
        "InvalidIdentityToken",
        "AWS cannot reach the identity provider's keys just now: try again later",
        pattern="couldn.t retrieve verification key",
    ),
    _Row(LoginRefused, _KEYS, _CLOCK, pattern=r"signature (expired|not yet current)"),
    _Row(LoginRefused, "RequestExpired RequestTimeTooSkewed RequestInTheFuture", _CLOCK),
    _Row(
        LoginRefused,
        "OptInRequired",
        "the account has not been activated for this: finish its sign-up, or use another account",
    ),
    _Row(
        LoginRefused,
        _KEYS,
        "the access key is wrong or deleted: `awslogin add PROFILE` stores it anew",
    ),
    _Row(
        LoginRefused,
        "ExpiredToken ExpiredTokenException TokenRefreshRequired",
        "sign in again with `--force`",
    ),
    _Row(
        LoginRefused,
        "IDPRejectedClaim InvalidIdentityToken",
        "the identity provider's registration in IAM does not accept this sign-in",
    ),
    _Row(
        LoginRefused,
        "AccessDenied",
        "`mfa_serial` must be the ARN of a device of this user: `aws iam list-mfa-devices` tells",
        pattern="verify your mfa serial",
    ),
    _Row(
        LoginRefused,
        "AccessDenied",
        "wait for the next one-time code and try again",
        pattern="multifactorauthentication failed",
    ),
    _Row(
        ConfigError,
        "RegionDisabledException",
        "enable STS in that region or set another `region`",
    ),
    _Row(
        ConfigError,
        "PackedPolicyTooLarge",
        "AWS packs them together: shorten the policy, name a managed one instead of it"
        " (`policy_arns`, `--policy-arn`), or pass fewer and shorter `session_tags`",
    ),
    _Row(
        RoleRefused,
        "AccessDenied AccessDeniedException ForbiddenException NotAuthorized",
        "check the role's name and its trust policy",
    ),
    _Row(RoleRefused, "ValidationError", "set a shorter `duration`", pattern="duration"),
    _Row(ConfigError, "ValidationError MalformedPolicyDocument"),
)


@contextlib.contextmanager
def translated(what: str, environ: Mapping[str, str]) -> Iterator[None]:
    """Turn botocore's exceptions inside the block into ours.

    Args:
        what: What was being done, for the message: `AssumeRole arn:…`.
        environ: Says which CA file and which proxy are used.
    """
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as Unreachable
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise _translation(error, what) from error
    except (Unreachable, HTTPClientError) as error:
        raise _unreachable(what, error, environ) from error
    except (
        BotoCoreError,
        ResponseParserError,
        AttributeError,  # botocore's parsers expect an object
        KeyError,
        OverflowError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise UnexpectedReply(
            f"{what}: AWS's answer is not understood ({type(error).__name__})",
            hint="check AWS_ENDPOINT_URL and whether a proxy or a sign-in page answers instead",
        ) from error


def error_code(error: BaseException | None) -> str:
    """AWS's code of a botocore ClientError; empty for another exception."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _translation(error: ClientError, what: str) -> AwsLoginError:
    """Our error for AWS's. AWS's own sentence is kept: it names the cause."""
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    sentence = one_line(error.response.get("Error", {}).get("Message", "") or code, _MOST_LETTERS)
    message = f"{what}: {sentence} ({code})"
    if status >= 500:
        return NetworkError(message, hint=_TABLE[0].hint)
    if status == 429:
        return Throttled(message, hint=_TABLE[0].hint)
    for row in _TABLE:
        if row.fits(code, sentence):
            return row.error(message, hint=row.hint)
    return UnexpectedReply(message)


def _unreachable(what: str, error: Exception, environ: Mapping[str, str]) -> NetworkError:
    """Why a request reached no AWS service, without any of what was to be sent."""
    from botocore.exceptions import (
        ConnectTimeoutError,
        ProxyConnectionError,
        ReadTimeoutError,
        SSLError,
    )

    details = getattr(error, "kwargs", {})
    host = urlsplit(str(details.get("endpoint_url", ""))).netloc or "AWS"
    if isinstance(error, ProxyConnectionError):
        fault = proxy_fault(
            host, details.get("error", error), str(details.get("proxy_url", "")), environ
        )
    elif isinstance(error, SSLError):
        fault = certificate_fault(host, error, environ)
    else:
        late = isinstance(error, ReadTimeoutError | ConnectTimeoutError)
        why = "did not answer in time" if late else "cannot be reached"
        why = f"answered {details['status']}" if "status" in details else why
        fault = NetworkError(
            f"{host} {why}",
            hint="check the network, the proxy and AWS_ENDPOINT_URL, then try again",
        )
    return NetworkError(f"{what}: {fault.message}", hint=fault.hint)
