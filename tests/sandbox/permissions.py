"""What a session may do: what its role allows, within what any of its session policies allows.

Of a policy counts which actions it names; every resource is meant. Source: IAM User Guide, "Policy
evaluation logic": a deny anywhere wins, several policies of one kind are a union, session policies
and the role's are an intersection. ReadOnlyAccess here is a few of its actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

Policy = Mapping[str, Any]

READ_ONLY: Policy = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["iam:Get*", "iam:List*", "iam:GenerateCredentialReport", "sts:Get*"],
            "Resource": "*",
        }
    ],
}
ALL: Policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*"}}
MANAGED: dict[str, Policy] = {
    f"arn:{partition}:iam::aws:policy/{name}": policy
    for partition in ("aws", "aws-cn", "aws-us-gov", "aws-eusc")
    for name, policy in {"ReadOnlyAccess": READ_ONLY, "AdministratorAccess": ALL}.items()
}
"""AWS's own policies by ARN; one that is not here allows nothing."""


def flaw(action: str, role: Iterable[Policy], session: list[Policy] | None) -> str | None:
    """Why an action is refused, in AWS's words; None where it is allowed.

    Args:
        action: `iam:CreateAccessKey`.
        role: The role's own policies.
        session: Those of its session; None where it has none.
    """
    if not _allow(role, action):
        return "no identity-based policy allows"
    if session is not None and not _allow(session, action):
        return "no session policy allows"
    return None


def _allow(policies: Iterable[Policy], action: str) -> bool:
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in _listed(policy["Statement"])
        if _names(statement, action)
    }
    return effects == {"Allow"}


def _names(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not _matches(statement["NotAction"], action)
    return _matches(statement["Action"], action)


def _matches(patterns: object, action: str) -> bool:
    return any(fnmatchcase(action.lower(), str(one).lower()) for one in _listed(patterns))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
