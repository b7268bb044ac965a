"""`trust-policy`: the IAM trust policy that a profile's role needs; contacts nobody."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from broker.arn import account_of, partition_of
from broker.cli.app import App, command
from broker.cli.completion import profile_argument
from broker.config import Profile
from broker.errors import UsageError
from broker.provider import Request, TrustStatement


@command("trust-policy")
@click.option("--repository", metavar="OWNER/NAME", help="The CI's repository or project.")
@click.option("--repository-id", metavar="ID", help="GitHub's number of it.")
@click.option("--owner-id", metavar="ID", help="GitHub's number of its owner.")
@profile_argument()
def trust_policy(app: App, *, profile: str | None, **job: str | None) -> None:
    """Print the IAM trust policy that PROFILE's role needs, as JSON."""
    chosen = app.profile(profile)
    request = chosen.request()
    if not request.role_arn:
        raise UsageError(
            f"{chosen.name} takes no role", hint="set `role_arn`, or `account` and `role`"
        )
    names = {
        "repository": "GITHUB_REPOSITORY",
        "repository_id": "GITHUB_REPOSITORY_ID",
        "owner_id": "GITHUB_REPOSITORY_OWNER_ID",
    }
    given = {variable: job[name] or "" for name, variable in names.items() if job[name]}
    statements = _statements(app, chosen, request, {**app.environ, **given})
    for note in dict.fromkeys(note for _, note in statements if note):
        app.ui.warn(note)
    policy = {"Version": "2012-10-17", "Statement": [statement for statement, _ in statements]}
    app.say_exactly(json.dumps(policy, indent=2) + "\n")


def _statements(
    app: App, profile: Profile, request: Request, environ: Mapping[str, str]
) -> list[TrustStatement]:
    """One for each provider that may sign in, else the one for the source's role."""
    if profile.source and profile.is_chained:
        return [_chained(app, profile.source, request)]
    found = []
    for name in profile.root.provider_names:
        spec = app.config.provider(name)
        statement = spec.plugin.trusted_by(spec.options, request, environ)
        if statement is None:
            raise UsageError(
                f"a role behind {name} ({spec.type}) has no trust policy of yours to write"
            )
        found.append(statement)
    return found


def _chained(app: App, source: Profile, request: Request) -> TrustStatement:
    """The role may be taken by the source's."""
    role = source.role_arn
    spec = app.config.provider(source.root.provider_names[0])
    account = source.account or account_of(role or source.mfa_serial)
    principal: str | None = role
    conditions: dict[str, Any] = {}
    note = ""
    if spec.type == "identity-center" and not source.is_chained:
        partition = partition_of(source.region)
        principal = f"arn:{partition}:iam::{account}:root"
        reserved = f"role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_{source.role}_*"
        conditions["ArnLike"] = {"aws:PrincipalArn": f"arn:{partition}:iam::{account}:{reserved}"}
    elif principal is None:
        known = account or account_of(request.role_arn)
        principal = f"arn:{partition_of(source.region)}:iam::{known}:root"
        note = "" if account else f"{source.name} does not say its account: replace {known}"
    equals = {"sts:ExternalId": request.external_id} if request.external_id else {}
    if equals:
        conditions["StringEquals"] = equals
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": ["sts:AssumeRole", *request.further_trust],
    }
    return statement | ({"Condition": conditions} if conditions else {}), note
