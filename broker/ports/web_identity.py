"""AssumeRoleWithWebIdentity: a token for a role, and what a refusal means.

STS alone judges the token here. Source: AWS STS API Reference, AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from broker.arn import account_of, partition_of
from broker.durations import HOUR
from broker.errors import AwsLoginError, NetworkError
from broker.ports import Ports
from broker.ports.aws import credentials_of
from broker.ports.aws_errors import error_code
from broker.provider import Credentials, Request
from broker.secret import Secret
from broker.terminal_text import one_line

PAUSES = (1.0, 3.0)
"""Seconds before one more try where AWS could not fetch the issuer's keys."""


def credentials_for(ports: Ports, request: Request, token: Secret) -> Credentials:
    """The request's role, for a token that IAM's provider in that account accepts.

    Raises:
        RoleRefused, LoginRefused: With what the token says and what the role's trust needs.
    """
    client = ports.aws.client("sts", request.region)
    arguments: dict[str, Any] = {
        "Policy": request.policy,
        "PolicyArns": [{"arn": arn} for arn in request.policy_arns],
    }

    def exchange() -> Credentials:
        with ports.aws.errors(f"AssumeRoleWithWebIdentity {request.role_arn}"):
            return credentials_of(
                client.assume_role_with_web_identity(
                    RoleArn=request.role_arn,
                    RoleSessionName=request.session_name,
                    WebIdentityToken=token.reveal(),
                    DurationSeconds=request.duration or HOUR,
                    **{name: value for name, value in arguments.items() if value},
                )
            )

    try:
        for pause in PAUSES:
            try:
                return exchange()
            except NetworkError as error:
                if error_code(error.__cause__) != "InvalidIdentityToken":
                    raise
                ports.clock.sleep(pause)  # AWS could not fetch the issuer's keys: that passes
        return exchange()
    except NetworkError:
        raise
    except AwsLoginError as error:
        error.hint = _mend(error, claims_of(token), request.profile) or error.hint
        raise


def trust_statement(
    request: Request, issuer: str, audience: str, subjects: Sequence[str]
) -> dict[str, Any]:
    """What a role's trust policy must allow for an issuer's tokens.

    Args:
        request: Its `role_arn` is the role, in whose account IAM's OIDC provider is.
        issuer: As the tokens say it.
        audience: Whom they are for.
        subjects: Those that may; `*` stands for anything. Empty for anybody of that audience.
    """
    role, name = str(request.role_arn), issuer.partition("://")[2]  # IAM keeps a final slash
    account = account_of(role)
    provider = f"arn:{partition_of(request.region, role)}:iam::{account}:oidc-provider/{name}"
    condition: dict[str, Any] = {"StringEquals": {f"{name}:aud": audience}}
    if subjects:
        condition["StringLike"] = {
            f"{name}:sub": subjects[0] if len(subjects) == 1 else list(subjects)
        }
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": condition,
    }


def github_subjects(repository: str, repository_id: str, owner_id: str) -> list[str]:
    """A repository's subjects: the old form, and the one with numbers that is since 2026-07-15."""
    owner, _, name = repository.partition("/")
    old = f"repo:{owner}/{name}:*"
    return (
        [old, f"repo:{owner}@{owner_id}/{name}@{repository_id}:*"]
        if repository_id and owner_id
        else [old]
    )


def claims_of(token: Secret) -> dict[str, Any]:
    """What a token says of itself, unverified, for messages and names; empty where unreadable."""
    body = token.reveal().partition(".")[2].partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _mend(error: AwsLoginError, claims: Mapping[str, Any], profile: str) -> str | None:
    """What to change where, by STS's code and sentence and what the token says."""
    code, sentence = error_code(error.__cause__), error.message.lower()
    issuer, subject = shown(claims.get("iss")), shown(claims.get("sub"))
    audience = shown(listed(claims.get("aud")))
    if code == "ExpiredTokenException":
        return "the job's token has ended: log in earlier in the job, or take a fresh token"
    if code == "InvalidIdentityToken" and not claims.get("iss"):
        return (
            "the token does not say who issued it (`iss`), so AWS takes it for nobody's: is it the"
            " OIDC token that the profile means?"
        )
    if code == "InvalidIdentityToken" and "audience" in sentence:
        return f"the token is for {audience}: IAM's provider for {issuer} must list that audience"
    if code == "InvalidIdentityToken" and "no openidconnect provider" in sentence:
        return f"make an IAM OIDC identity provider for {issuer} in the role's account"
    if code == "InvalidIdentityToken":
        return f"IAM could not verify the token: is {issuer} its issuer, and reachable for AWS?"
    if code == "IDPRejectedClaim":
        return f"{issuer} no longer stands by this token: take a fresh one"
    if code == "AccessDenied":
        mend = f"the role's trust policy must accept {issuer} with aud {audience} and sub {subject}"
        forms = _of_github(str(claims.get("sub") or ""))
        return f"{mend}{forms}; `awslogin trust-policy {profile}` writes it"
    return None


def _of_github(subject: str) -> str:
    """That a policy written for the one form of GitHub's subjects refuses the other."""
    new = re.match(r"repo:([^/@:]+)@\d+/([^/@:]+)@\d+:", subject)
    if new:
        return (
            " (GitHub's new form with numbers; a policy for the old one,"
            f" repo:{new[1]}/{new[2]}:…, refuses it)"
        )
    old = re.match(r"repo:([^/@:]+)/([^/@:]+):", subject)
    if old:
        return (
            " (GitHub's old form, without numbers; a policy for the new one,"
            f" repo:{old[1]}@…/{old[2]}@…:…, refuses it)"
        )
    return ""


def listed(value: object) -> list[str]:
    """A claim that is one value or several."""
    return [str(item) for item in (value if isinstance(value, list) else [value]) if item]


def shown(value: object) -> str:
    """A claim in a sentence: fit for a line."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value or "none")
    return one_line(text)
