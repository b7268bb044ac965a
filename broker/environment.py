"""The environment of a child or a shell that holds a session. Owns what is set and what must go."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from broker.ports.clock import to_text
from broker.session import Session

UNSET = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN")
"""Some SDKs prefer these to a session's keys."""

_ENDPOINT = [
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
]
_INHERITED = {
    *UNSET,
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ACCOUNT_ID",  # SDKs take it for the account of the keys beside it
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",  # what the Java SDK reads as well
    "AWS_CREDENTIAL_FILE",
    "AWS_OIDC_TOKEN",  # a CI job's, by which it could become any of its roles
}
NARROWED = "AWSLOGIN_NARROWED"
"""Names the profile whose narrowed session somebody runs in: there awslogin hands out no other."""
_WAYS_OUT = ("OIDC_TOKEN", "ID_TOKEN_REQUEST", "CI_JOB_JWT", "WORKLOAD_IDENTITY_TOKEN")
"""In the names of a CI job's variables by which it could take the whole role anew."""
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


def for_shell(session: Session) -> tuple[list[str], dict[str, str]]:
    """What a shell unsets and what it sets, so that it is as `exec`'s child is."""
    values = variables(session) | _session_details(session)
    stale = ["AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID"]
    stale += _ENDPOINT if session.narrowed else []
    return [*UNSET, *(name for name in stale if name not in values)], values


def without_aws(environ: Mapping[str, str], secrets: Collection[str] = ()) -> dict[str, str]:
    """An environment without inherited AWS credentials, awslogin's own secrets, and `secrets`."""
    return {
        name: value for name, value in environ.items() if not _must_go(name) and name not in secrets
    }


def for_child(
    session: Session, environ: Mapping[str, str], secrets: Collection[str] = ()
) -> dict[str, str]:
    """The environment of `exec`'s child; `AWSLOGIN_PROFILE` tells it which session it runs in."""
    return _inherited(session, environ, secrets) | variables(session) | _session_details(session)


def for_served_child(
    session: Session,
    environ: Mapping[str, str],
    endpoint: Mapping[str, str],
    secrets: Collection[str] = (),
) -> dict[str, str]:
    """The environment of `exec --server`'s child: where to ask, and no keys."""
    named = {"AWSLOGIN_PROFILE": session.profile} | _mark(session)
    return _inherited(session, environ, secrets) | dict(endpoint) | _region(session) | named


def _session_details(session: Session) -> dict[str, str]:
    """The variables that name a session to its child: profile, account, and the narrowed mark."""
    account = {"AWS_ACCOUNT_ID": session.account_id} if session.account_id else {}
    return {"AWSLOGIN_PROFILE": session.profile, **account, **_mark(session)}


def _mark(session: Session) -> dict[str, str]:
    return {NARROWED: session.profile} if session.narrowed else {}


def _inherited(
    session: Session, environ: Mapping[str, str], secrets: Collection[str]
) -> dict[str, str]:
    """Our environment as a child inherits it: for a narrowed session, no way to another one."""
    inherited = without_aws(environ, secrets)
    if not session.narrowed:
        return {name: value for name, value in inherited.items() if name != NARROWED}
    ours = {
        name for name in inherited if name.startswith("AWSLOGIN_") and name != "AWSLOGIN_CONFIG"
    }
    ours |= {name for name in inherited if any(part in name for part in _WAYS_OUT)}
    return {name: v for name, v in inherited.items() if name not in ours} | {
        "AWSLOGIN_AGENT": "off"
    }


def _region(session: Session) -> dict[str, str]:
    return {"AWS_REGION": session.region, "AWS_DEFAULT_REGION": session.region}


def _must_go(name: str) -> bool:
    return (
        name in _INHERITED
        or name.startswith("AWS_CONTAINER_")
        or (name.startswith("AWSLOGIN_") and any(part in name for part in _SECRETS))
    )
