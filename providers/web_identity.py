"""A CI job's own OIDC token, exchanged for a role at STS.

Owns where the token comes from. Sources: AWS STS API Reference, AssumeRoleWithWebIdentity; GitHub
docs, "OpenID Connect reference" (the request URL and its bearer); GitLab docs, "ID tokens";
Kubernetes docs, "service account token volume projection".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from broker.errors import InteractionRequired, LoginRefused, UnexpectedReply
from broker.ports.aws import HOUR, credentials_of
from broker.provider import Credentials, Provider, ProviderOptions, Request
from broker.secret import Secret

AUDIENCE = "sts.amazonaws.com"
MAX_TOKEN = 100_000
GITHUB_URL, GITHUB_SECRET = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
GITLAB_TOKEN = "AWS_OIDC_TOKEN"  # noqa: S105 - the variable's name
"""The name that our GitLab guide gives the job's `id_tokens` entry."""


class TokenPlace(ProviderOptions):
    """Where the token lies: a variable, or a file that is read anew each time."""

    env: str | None = Field(default=None, pattern=r"^\w+$")
    file: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> TokenPlace:
        if bool(self.env) == bool(self.file):
            raise ValueError("`token` takes either `env` or `file`")
        return self


class WebIdentityOptions(ProviderOptions):
    """`token`: `{env: NAME}`, `{file: PATH}`, `github` or `gitlab`."""

    token: TokenPlace | Literal["github", "gitlab"]
    audience: str = AUDIENCE


class WebIdentity(Provider):
    """Exchanges a token that is already there; nobody is asked."""

    Options = WebIdentityOptions
    options: WebIdentityOptions

    @classmethod
    def cannot_work_here(cls, options: Any, environ: Mapping[str, str]) -> str | None:
        """It works where its token is."""
        return _missing(options, environ)

    @classmethod
    def decided_by(cls, options: Any) -> tuple[str, ...]:
        """The token's file."""
        place = options.token
        file = place.file if isinstance(place, TokenPlace) else None
        return (str(Path(file).expanduser().absolute()),) if file else ()

    @classmethod
    def check(cls, options: Any, request: Request) -> str | None:
        """A role is needed: a token alone is no session."""
        del options
        return (
            None if request.role_arn else "web identity needs `role_arn`, or `account` and `role`"
        )

    def login(self, request: Request) -> Credentials:
        """The request's role, for the job's token as it is now."""
        missing = _missing(self.options, os.environ)
        if missing:
            raise InteractionRequired(
                f"there is no web identity token: {missing}",
                hint="run it in the CI job that has the token, or name a second provider",
            )
        token = self._token()
        client = self.ports.aws.client("sts", request.region)
        with self.ports.aws.errors(f"AssumeRoleWithWebIdentity {request.role_arn}"):
            return credentials_of(
                client.assume_role_with_web_identity(
                    RoleArn=request.role_arn,
                    RoleSessionName=request.session_name,
                    WebIdentityToken=token.reveal(),
                    DurationSeconds=request.duration or HOUR,
                    **({"Policy": request.policy} if request.policy else {}),
                )
            )

    def _token(self) -> Secret:
        place = self.options.token
        if place == "github":
            return self._from_github()
        if place == "gitlab":
            return _checked(os.environ[GITLAB_TOKEN], f"${GITLAB_TOKEN}")
        assert isinstance(place, TokenPlace)
        if place.env:
            return _checked(os.environ[place.env], f"${place.env}")
        path = Path(str(place.file)).expanduser()
        try:
            with path.open(encoding="utf-8") as file:
                return _checked(file.read(MAX_TOKEN), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise LoginRefused(
                f"the token file {path} cannot be read: {type(error).__name__}",
                hint="check the path and its mode",
            ) from None

    def _from_github(self) -> Secret:
        """Ask the runner's own service for a token of our audience."""
        secret = Secret(os.environ[GITHUB_SECRET])
        reply = self.ports.http.session().get(
            os.environ[GITHUB_URL],
            params={"audience": self.options.audience},
            headers={"Authorization": f"Bearer {secret.reveal()}"},
            follow=False,
        )
        if reply.status != 200:
            raise LoginRefused(
                f"GitHub gave no token ({reply.status})",
                hint="the job needs `permissions: {id-token: write}`",
            )
        value = reply.json().get("value")
        if not isinstance(value, str):
            raise UnexpectedReply("GitHub answered without a token")
        return _checked(value, "GitHub")


def _missing(options: WebIdentityOptions, environ: Mapping[str, str]) -> str | None:
    """Why the token is not here, or None."""
    place = options.token
    if isinstance(place, TokenPlace) and place.file:
        return None if Path(place.file).expanduser().is_file() else f"no file {place.file}"
    if place == "github":
        wanted = [GITHUB_URL, GITHUB_SECRET]
    else:
        wanted = [GITLAB_TOKEN if place == "gitlab" else str(getattr(place, "env", ""))]
    unset = [name for name in wanted if not environ.get(name)]
    return f"{unset[0]} is not set" if unset else None


def _checked(text: str, where: str) -> Secret:
    """A JWT by its shape; the trailing newline of a file does not count."""
    token = text.strip()
    if token.count(".") < 2 or any(character.isspace() for character in token):
        raise LoginRefused(f"{where} holds no web identity token", hint="it must be a JWT")
    return Secret(token)
