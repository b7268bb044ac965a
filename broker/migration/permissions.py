"""How a role's permissions differ from a user's, as far as IAM says so. What it hides is told.

Policies are compared by name: an inline one that both have may say two things. Of the actions that
the access advisor has seen of the user, those that the role may not do are found by
SimulatePrincipalPolicy. It asks for every resource, so what it refuses to both may be allowed to
both on some.
"""

from __future__ import annotations

from collections.abc import Iterator

from broker.credentials import Credentials
from broker.migration.iam_questions import Decision, IamQuestions, Policy
from broker.ports.aws import Aws
from broker.ports.clock import Clock


def differences(
    aws: Aws, clock: Clock, session: Credentials, region: str, *, user_arn: str, role: str
) -> list[str]:
    """One sentence for each difference, and for each thing that may not be read.

    Args:
        aws: The way to IAM.
        clock: Time and pauses.
        session: The new provider's session; it asks.
        region: Whose IAM it is.
        user_arn: The user.
        role: The role's name, without path.
    """
    iam = IamQuestions(aws, session, region)
    users = iam.policies("user", user_arn.rpartition("/")[2])
    roles = iam.policies("role", role)
    sentences: list[str] = []
    if users is not None and roles is not None:
        sentences += _by_name(users, roles)
    role_arn = iam.role_arn(role)
    used = iam.used(clock, user_arn)
    if used:
        sentences += [
            f"{service}: the user has used it; IAM does not say which of its actions"
            for service in used.services
        ]
    if used and used.actions and role_arn:
        sentences += _by_use(iam, sorted(used.actions), user_arn, role_arn)
    return sorted({*sentences, *iam.hidden})


def _by_name(users: set[Policy], roles: set[Policy]) -> Iterator[str]:
    for policy in users - roles:
        yield f"policy {policy.name}: the user has it, the role does not"
    for policy in roles - users:
        yield f"policy {policy.name}: the role has it, the user does not"
    for policy in users & roles:
        if not policy.arn:
            yield f"policy {policy.name}: both have an inline one of this name; compare them"


def _by_use(iam: IamQuestions, actions: list[str], user_arn: str, role_arn: str) -> Iterator[str]:
    of_role = iam.decisions(role_arn, actions)
    if of_role is None:
        return
    refused = [name for name in actions if name in of_role and not of_role[name].allowed]
    of_user = (iam.decisions(user_arn, refused) if refused else None) or {}
    for name in actions:
        if name not in of_role:
            yield f"{name}: the user has used it; IAM does not say whether the role may"
        elif name in refused:
            yield f"{name}: the user has used it{_refusal(of_role[name], of_user.get(name))}"


def _refusal(of_role: Decision, of_user: Decision | None) -> str:
    if of_user and not of_user.allowed:
        return "; neither may on every resource, so what each may is not compared"
    return "; for the role a condition decides" if of_role.depends else ", the role may not"
