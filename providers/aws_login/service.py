"""AWS's sign-in service: its addresses, its one call, the key that a refresh token is bound to.

Source: AWS Sign-In API Reference, CreateOAuth2Token; RFC 9449 (DPoP); AWS CLI v2's own `login` for
addresses and client ids.
"""

from __future__ import annotations

import base64
import json
import os
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from broker.arn import partition_of
from broker.errors import AwsLoginError, LoginRefused, UnexpectedReply
from broker.ports import Ports
from broker.ports.urls import origin
from broker.secret import Secret

if TYPE_CHECKING:
    from broker.ports.http import Reply

HOSTS = {
    "aws": "{region}.signin.aws.amazon.com",
    "aws-cn": "{region}.signin.amazonaws.cn",
    "aws-us-gov": "{region}.signin.amazonaws-us-gov.com",
    "aws-eusc": "{region}.signin.amazonaws-eusc.eu",
}
SAME_DEVICE = "arn:aws:signin:::devtools/same-device"
OTHER_DEVICE = "arn:aws:signin:::devtools/cross-device"
LEEWAY_SECONDS = 300
POLICY = "SignInLocalDevelopmentAccess"
_OVER = {"TOKEN_EXPIRED", "AUTHCODE_EXPIRED", "USER_CREDENTIALS_CHANGED", "invalid_grant"}

StoredSignIn = dict[str, Any]
"""A sign-in: `key` (PEM), `clientId`, `base`, and what is sealed with it: `refreshToken`, `arn`."""


class SignInOver(LoginRefused):
    """The code or the refresh token does not hold any more."""


def base_of(region: str, ports: Ports) -> str:
    """The sign-in service's address: the environment's, else its partition's."""
    given = ports.aws.endpoint("signin")
    if given:
        return given.rstrip("/")
    if os.environ.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true":
        return f"https://signin.{region}.api.aws"
    partition = partition_of(region)
    if partition not in HOSTS:
        raise UnexpectedReply(f"no console sign-in is known for {region} ({partition})")
    return f"https://{HOSTS[partition].format(region=region)}"


def create_token(
    ports: Ports, sign_in: StoredSignIn, grant: Mapping[str, str], *, retry: bool = False
) -> dict[str, Any]:
    """CreateOAuth2Token: `accessToken`, `expiresIn`, `refreshToken`, at first `idToken`."""
    address = f"{sign_in['base']}/v1/token"
    body = {"clientId": sign_in["clientId"], **grant}
    nonce = ""
    for _ in range(2):
        reply = ports.http.session().post(
            address,
            json=body,
            headers={"DPoP": _proof_of_key(sign_in["key"], address, nonce, ports)},
            only_to={origin(address)},
            follow=False,
            retry=retry,
        )
        nonce = reply.headers.get("DPoP-Nonce", "")
        if not (nonce and _error_of(reply) == "use_dpop_nonce"):
            break
    if reply.status != 200:
        raise _refusal(reply)
    document = reply.json()
    if not isinstance(document, dict) or not is_text(document.get("refreshToken")):
        raise UnexpectedReply("the console's sign-in answered without a refresh token")
    Secret(document["refreshToken"])
    return document


def _refusal(reply: Reply) -> AwsLoginError:
    """What an error of the service means, with its mend."""
    error = _error_of(reply)
    if error in _OVER:
        return SignInOver(f"the console's sign-in does not hold: {error}", hint="sign in again")
    if error == "INSUFFICIENT_PERMISSIONS":
        return LoginRefused(
            "who is signed in at the console may not use `aws login`",
            hint=f"attach the managed policy {POLICY} to that user or role",
        )
    return UnexpectedReply(
        f"the console's sign-in answered {reply.status} {error}".rstrip(),
        hint="check AWS_ENDPOINT_URL and the provider's `region`",
    )


def authorize_url(base: str, client: str, redirect: str, state: str, challenge: str) -> str:
    """Where the browser begins."""
    query = {
        "response_type": "code",
        "client_id": client,
        "state": state,
        "code_challenge_method": "SHA-256",
        "scope": "openid",
        "redirect_uri": redirect,
        "code_challenge": challenge,
    }
    return f"{base}/v1/authorize?{urlencode(query)}"


def signed_in_arn(token: object, now: datetime) -> str:
    """The signed-in ARN: `sub` of the ID token, which came from the service itself over TLS.

    Raises:
        UnexpectedReply: There is none, or it ended before `now`.
    """
    try:
        body = str(token).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
        arn, ends = claims["sub"], float(claims.get("exp", now.timestamp()))
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        arn, ends = None, now.timestamp()
    if ends < now.timestamp() - LEEWAY_SECONDS:
        raise UnexpectedReply(
            "the console's sign-in answered with a token that has ended",
            hint="check this machine's clock, and run it again",
        )
    form = r"arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[!-~]+"
    if not isinstance(arn, str) or not re.fullmatch(form, arn):
        raise UnexpectedReply("the console's sign-in did not say who is signed in")
    return arn


def new_key() -> Secret:
    """A key of our own (P-256, PEM), to which the refresh token is bound."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    pem = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return Secret(pem.decode())


def _proof_of_key(pem: str, address: str, nonce: str, ports: Ports) -> str:
    """The DPoP header: a JWT over method, address and time (RFC 9449 section 4.2)."""
    import jwt
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key: Any = load_pem_private_key(pem.encode(), None)
    claims = {
        "jti": str(uuid.uuid4()),
        "htm": "POST",
        "htu": address,
        "iat": int(ports.clock.now().timestamp()),
    }
    if nonce:
        claims["nonce"] = nonce
    public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwt.encode(claims, key, "ES256", headers={"typ": "dpop+jwt", "jwk": public})


def _error_of(reply: Reply) -> str:
    """The error's code word; empty in a reply that names none."""
    try:
        document = json.loads(reply.text)
        error = document.get("error") or document.get("Error") or ""
    except (ValueError, AttributeError, RecursionError):
        return ""
    return error if isinstance(error, str) and re.fullmatch(r"[A-Za-z_]{1,60}", error) else ""


def is_text(value: object) -> bool:
    """Whether it is text, and not empty."""
    return isinstance(value, str) and bool(value)
