"""The environment of a child or a shell that holds a session. Owns what is set and what must go."""

from __future__ import annotations

from collections.abc import Mapping

from broker.ports.clock import to_text
from broker.session import Session

UNSET = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN")
"""Some SDKs prefer these to a session's keys."""

_INHERITED = {
    *UNSET,
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CREDENTIAL_FILE",
}
_SECRETS = ("PASSWORD", "MFA_CODE", "PASSPHRASE", "CLIENT_SECRET")


def variables(session: Session) -> dict[str, str]:
    """What a session sets. The expiry carries its offset, as botocore demands."""
    values = {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key.reveal(),
    }
    if session.session_token:
        values["AWS_SESSION_TOKEN"] = session.session_token.reveal()
    if session.expires_at:
        values["AWS_CREDENTIAL_EXPIRATION"] = to_text(session.expires_at)
    return values | _region(session)


def without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without inherited AWS credentials and without awslogin's own secrets."""
    return {name: value for name, value in environ.items() if not _must_go(name)}


def for_child(session: Session, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of `exec`'s child; `AWSLOGIN_PROFILE` tells it which session it runs in."""
    return without_aws(environ) | variables(session) | {"AWSLOGIN_PROFILE": session.profile}


def for_served_child(
    session: Session, environ: Mapping[str, str], endpoint: Mapping[str, str]
) -> dict[str, str]:
    """The environment of `exec --server`'s child: where to ask, and no keys."""
    named = {"AWSLOGIN_PROFILE": session.profile}
    return without_aws(environ) | dict(endpoint) | _region(session) | named


def _region(session: Session) -> dict[str, str]:
    return {"AWS_REGION": session.region, "AWS_DEFAULT_REGION": session.region}


def _must_go(name: str) -> bool:
    return (
        name in _INHERITED
        or name.startswith("AWS_CONTAINER_")
        or (name.startswith("AWSLOGIN_") and any(part in name for part in _SECRETS))
    )
