"""How a role's permissions differ from a user's, as far as IAM says so. What it hides is told.

Names of policies are compared. Of the actions that the user is known to have used (IAM's access
advisor), those that the role may not do are found by SimulatePrincipalPolicy. Source: IAM API
Reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker.credentials import Credentials
from broker.errors import AwsLoginError, NetworkError
from broker.ports.aws import Aws
from broker.ports.clock import Clock

MAX_ACTIONS = 100
ADVISOR_SECONDS = 20
_ADVISOR_PAUSE_SECONDS = 2


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
    asked = _Questions(aws, session, region)
    users = asked.policies_of_user(user_arn.rpartition("/")[2])
    roles = asked.policies_of_role(role)
    told = asked.hidden
    if users is not None and roles is not None:
        told += [f"policy {name}: the user has it, the role does not" for name in users - roles]
        told += [f"policy {name}: the role has it, the user does not" for name in roles - users]
    role_arn = asked.role_arn(role)
    used = asked.actions_used(clock, user_arn)
    if used and role_arn:
        denied = asked.denied(role_arn, sorted(used)[:MAX_ACTIONS])
        told += [f"{action}: the user has used it, the role may not" for action in denied]
    return sorted(set(told))


class _Questions:
    """Questions to IAM.

    Attributes:
        hidden: What it did not answer.
    """

    def __init__(self, aws: Aws, session: Credentials, region: str) -> None:
        self._aws = aws
        self._client = aws.client("iam", region, session)
        self.hidden: list[str] = []

    def policies_of_user(self, user: str) -> set[str] | None:
        """Names of the policies of a user and its groups; None where they are hidden."""
        own = self._names("user", "attached_user", "user", UserName=user)
        groups = self._ask(
            "ListGroupsForUser", lambda: self._client.list_groups_for_user(UserName=user)
        )
        if own is None or groups is None:
            return None
        for group in groups["Groups"]:
            name = group["GroupName"]
            of_group = self._names(f"group {name}", "attached_group", "group", GroupName=name)
            if of_group is None:
                return None
            own |= of_group
        return own

    def policies_of_role(self, role: str) -> set[str] | None:
        """Names of the policies of a role; None where they are hidden."""
        return self._names("role", "attached_role", "role", RoleName=role)

    def role_arn(self, role: str) -> str | None:
        """The role's ARN with its path, which a session's lacks; None where it is hidden."""
        reply = self._ask("GetRole", lambda: self._client.get_role(RoleName=role))
        return str(reply["Role"]["Arn"]) if reply else None

    def actions_used(self, clock: Clock, arn: str) -> set[str]:
        """Actions that the access advisor has seen of a user; none where it does not say."""
        begun = self._ask(
            "GenerateServiceLastAccessedDetails",
            lambda: self._client.generate_service_last_accessed_details(
                Arn=arn, Granularity="ACTION_LEVEL"
            ),
        )
        if begun is None:
            return set()
        until = clock.monotonic() + ADVISOR_SECONDS
        while clock.monotonic() < until:
            details = self._ask(
                "GetServiceLastAccessedDetails",
                lambda: self._client.get_service_last_accessed_details(JobId=begun["JobId"]),
            )
            if details is None:
                return set()
            if details["JobStatus"] != "IN_PROGRESS":
                return {
                    f"{service['ServiceNamespace']}:{action['ActionName']}"
                    for service in details.get("ServicesLastAccessed", [])
                    for action in service.get("TrackedActionsLastAccessed", [])
                    if "LastAccessedTime" in action
                }
            clock.sleep(_ADVISOR_PAUSE_SECONDS)
        self.hidden.append("the access advisor was too slow: which actions were used is not known")
        return set()

    def denied(self, arn: str, actions: list[str]) -> list[str]:
        """Of these actions, those that a role may not do on any resource."""
        reply = self._ask(
            "SimulatePrincipalPolicy",
            lambda: self._client.simulate_principal_policy(
                PolicySourceArn=arn, ActionNames=actions, MaxItems=1000
            ),
        )
        results = reply["EvaluationResults"] if reply else []
        return [one["EvalActionName"] for one in results if one["EvalDecision"] != "allowed"]

    def _names(self, whose: str, attached: str, inline: str, **of: str) -> set[str] | None:
        def ask() -> set[str]:
            managed = getattr(self._client, f"list_{attached}_policies")(**of)
            own = getattr(self._client, f"list_{inline}_policies")(**of)
            return {one["PolicyName"] for one in managed["AttachedPolicies"]} | {
                *own["PolicyNames"]
            }

        found: set[str] | None = self._ask(f"the policies of the {whose}", ask)
        return found

    def _ask(self, what: str, call: Callable[[], Any]) -> Any:
        """The reply; None where the session may not ask, or is not answered."""
        try:
            with self._aws.errors(what):
                return call()
        except NetworkError:
            raise
        except AwsLoginError:
            self.hidden.append(f"{what}: this session may not ask IAM, so it is not compared")
            return None
