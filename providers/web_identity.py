"""A CI job's own OIDC token, exchanged for a role at STS.

Owns where the token comes from and what a refusal means; STS alone judges the token. Sources: AWS
STS API Reference, AssumeRoleWithWebIdentity; GitHub docs, "OpenID Connect reference" (the request
URL and its bearer); GitLab docs, "ID tokens"; Kubernetes docs, "service account token volume
projection".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from broker.errors import InteractionRequired, LoginRefused, UnexpectedReply, UsageError
from broker.paths import expanded
from broker.ports.web_identity import (
    claims_of,
    credentials_for,
    github_subjects,
    listed,
    shown,
    trust_statement,
)
from broker.provider import Credentials, Provider, ProviderOptions, Request, TrustStatement
from broker.secret import Secret

AUDIENCE = "sts.amazonaws.com"
LONGEST = 20_000
"""Characters of a token that STS takes."""
GITHUB_URL, GITHUB_SECRET = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
GITLAB_TOKENS = ("AWS_OIDC_TOKEN", "GITLAB_OIDC_TOKEN", "CI_JOB_JWT_V2")
"""Names for the job's `id_tokens` entry: our guide's, GitLab's own guide's, and the old one."""


_OLD_FORM_ALONE = (
    "this allows GitHub's old subjects alone; those of newer repositories have numbers"
    " (repo:OWNER@ID/NAME@ID:…): give --repository-id and --owner-id to allow them too"
)


class TokenPlace(ProviderOptions):
    """Where the token lies: a variable, or a file that is read anew each time."""

    env: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_]+$")
    file: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> TokenPlace:
        if bool(self.env) == bool(self.file):
            raise ValueError("`token` takes either `env` or `file`")
        return self


def _place_or_service(value: object) -> str | None:
    if isinstance(value, str):
        return "service"
    return "place" if isinstance(value, (dict, TokenPlace)) else None


class WebIdentityOptions(ProviderOptions):
    """`token`: `{env: NAME}`, `{file: PATH}`, `github` or `gitlab`.

    `audience` is what GitHub is asked for; a token from elsewhere must be for it where it is set.
    """

    token: Annotated[
        Annotated[TokenPlace, Tag("place")]
        | Annotated[Literal["github", "gitlab"], Tag("service")],
        Discriminator(
            _place_or_service,
            custom_error_type="token_form",
            custom_error_message="is {env: NAME}, {file: PATH}, github or gitlab",
        ),
    ]
    audience: str = AUDIENCE


class WebIdentity(Provider[WebIdentityOptions]):
    """Exchanges a token that is already there; nobody is asked."""

    Options = WebIdentityOptions

    @classmethod
    def cannot_work_here(
        cls, options: WebIdentityOptions, environ: Mapping[str, str]
    ) -> str | None:
        """It works where its token is."""
        return _missing(options, environ)

    @classmethod
    def decided_by(cls, options: WebIdentityOptions) -> tuple[str, ...]:
        """The token's file."""
        place = options.token
        file = place.file if isinstance(place, TokenPlace) else None
        return (str(expanded(file)),) if file else ()

    @classmethod
    def secret_variables(cls, options: WebIdentityOptions) -> tuple[str, ...]:
        """Those that hold the job's token."""
        place = options.token
        if isinstance(place, TokenPlace):
            return (place.env,) if place.env else ()
        return GITLAB_TOKENS if place == "gitlab" else ()

    @classmethod
    def signs_in_as(cls, options: WebIdentityOptions, environ: Mapping[str, str]) -> str | None:
        """The token's issuer and subject; at GitHub, which gives it on demand, the job."""
        place = options.token
        if place == "github":
            names = ("GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "GITHUB_JOB")
            who = [environ.get(name) for name in names]
        else:
            try:
                claims = claims_of(_found(options, environ))
            except (LoginRefused, KeyError):
                return None
            who = [claims.get("iss"), claims.get("sub")]
        return hashlib.sha256(json.dumps(who).encode()).hexdigest()

    @classmethod
    def cannot_narrow(cls, options: WebIdentityOptions, request: Request) -> str | None:
        """AssumeRoleWithWebIdentity takes session policies."""
        del options, request
        return None

    @classmethod
    def trusted_by(
        cls, options: WebIdentityOptions, request: Request, environ: Mapping[str, str]
    ) -> TrustStatement | None:
        """The CI's issuer, for this repository's jobs; of a token that lies here, its own words."""
        repository = environ.get("GITHUB_REPOSITORY", "")
        place, audience = options.token, options.audience
        if place == "github":
            _require(repository, "--repository OWNER/NAME")
            ids = [environ.get(f"GITHUB_REPOSITORY{part}", "") for part in ("_ID", "_OWNER_ID")]
            numbers = [number if number.isdecimal() else "" for number in ids]
            subjects = github_subjects(repository, *numbers)
            note = "" if len(subjects) > 1 else _OLD_FORM_ALONE
            issuer = "https://token.actions.githubusercontent.com"
            return trust_statement(request, issuer, audience, subjects), note
        if place == "gitlab":
            project = repository or environ.get("CI_PROJECT_PATH", "")
            _require(project, "--repository GROUP/PROJECT")
            issuer = environ.get("CI_SERVER_URL") or "https://gitlab.com"
            subjects = [f"project_path:{project}:*"]
            return trust_statement(request, issuer, audience, subjects), ""
        try:
            claims = claims_of(_found(options, environ))
        except (LoginRefused, KeyError):
            claims = {}
        issuer, subject = str(claims.get("iss") or ""), str(claims.get("sub") or "")
        if not issuer:
            raise UsageError(
                "the token is not here, so its issuer and subject are not known",
                hint="run it where the token is",
            )
        audience = next(iter(listed(claims.get("aud"))), audience)
        return trust_statement(request, issuer, audience, [subject] if subject else []), ""

    @classmethod
    def check(cls, options: WebIdentityOptions, request: Request) -> str | None:
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
        place = self.options.token
        token = self._from_github() if place == "github" else self._found()
        return credentials_for(self.ports, request, token)

    def _found(self) -> Secret:
        """The token that lies here; where an audience is set, one for it."""
        token = _found(self.options, os.environ)
        audiences = listed(claims_of(token).get("aud"))
        wanted = self.options.audience
        if "audience" in self.options.model_fields_set and audiences and wanted not in audiences:
            raise LoginRefused(
                f"the web identity token is for {shown(audiences)}, not for {wanted}",
                hint=f"let the job ask for a token with the audience {wanted}",
            )
        return token

    def _from_github(self) -> Secret:
        """Ask the runner's own service for a token of our audience."""
        secret = Secret(os.environ[GITHUB_SECRET])
        reply = self.ports.http.session().get(
            os.environ[GITHUB_URL],
            params={"audience": self.options.audience},
            headers={"Authorization": f"Bearer {secret.reveal()}"},
            follow=False,
        )
        if reply.status in {400, 401, 403, 404}:
            raise LoginRefused(
                f"GitHub's token service refused the job's request ({reply.status})",
                hint="the job needs `permissions: {id-token: write}`, and to be running still",
            )
        document = reply.json() if reply.status == 200 else None
        value = document.get("value") if isinstance(document, dict) else None
        if not isinstance(value, str):
            raise UnexpectedReply(f"GitHub's token service answered {reply.status} without a token")
        return _checked(value, "GitHub's token service")


def _require(text: str, option: str) -> None:
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+", text, re.ASCII):
        raise UsageError("whose jobs may take the role is not known", hint=f"give {option}")


def _missing(options: WebIdentityOptions, environ: Mapping[str, str]) -> str | None:
    """Why the token is not here, with the mend inside of the CI that it names; None if it is."""
    place = options.token
    if place == "github":
        unset = [name for name in (GITHUB_URL, GITHUB_SECRET) if not environ.get(name)]
        needed = "; the job needs `permissions: {id-token: write}`"
        mend = needed if environ.get("GITHUB_ACTIONS") else ""
        return f"{unset[0]} is not set{mend}" if unset else None
    if place == "gitlab":
        needed = f"; the job needs an entry {GITLAB_TOKENS[0]} under `id_tokens`"
        mend = needed if environ.get("GITLAB_CI") else ""
        here = any(environ.get(name) for name in GITLAB_TOKENS)
        return None if here else f"{GITLAB_TOKENS[0]} is not set{mend}"
    assert isinstance(place, TokenPlace)
    if place.env:
        return None if environ.get(place.env) else f"{place.env} is not set"
    return None if expanded(str(place.file)).is_file() else f"no file {place.file}"


def _found(options: WebIdentityOptions, environ: Mapping[str, str]) -> Secret:
    """The token in its variable or file.

    Raises:
        LoginRefused: The file cannot be read, or what is there is no token.
        KeyError: The variable is not set.
    """
    place = options.token
    if place == "gitlab":
        name = next((name for name in GITLAB_TOKENS if environ.get(name)), GITLAB_TOKENS[0])
        return _checked(environ[name], f"${name}")
    assert isinstance(place, TokenPlace)
    if place.env:
        return _checked(environ[place.env], f"${place.env}")
    path = expanded(str(place.file))
    try:
        with path.open("rb") as file:
            return _checked(_text(file.read(4 * LONGEST)), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise LoginRefused(
            f"the token file {path} cannot be read: {type(error).__name__}",
            hint="check the path and its mode",
        ) from None


_MARKS = (
    (BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip


def _text(content: bytes) -> str:
    """The text of a file, whatever byte order mark its writer put before it."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding)
    return content.decode()


def _checked(text: str, where: str) -> Secret:
    """A JWT by its shape; the trailing newline of a file does not count."""
    token = text.strip()
    if len(token) > LONGEST:
        raise LoginRefused(f"the token in {where} is longer than the {LONGEST} characters of STS")
    if token.count(".") != 2 or not token.isascii() or any(c.isspace() for c in token):
        raise LoginRefused(f"{where} holds no web identity token", hint="it must be a JWT")
    return Secret(token)
