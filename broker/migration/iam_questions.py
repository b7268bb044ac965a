"""What IAM is asked about a user and a role. What it does not answer is kept, to be told.

Source: IAM API Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from broker.credentials import Credentials
from broker.errors import AwsLoginError, NetworkError
from broker.ports.aws import Aws
from broker.ports.clock import Clock
from broker.ports.iam_pages import pages

ACTIONS_A_CALL = 100
"""As many actions does one SimulatePrincipalPolicy take."""
ADVISOR_SECONDS = 20
_ADVISOR_PAUSE_SECONDS = 2
_NOT_KNOWN = "which actions were used is not known"

Kind = Literal["user", "group", "role"]
T = TypeVar("T")


@dataclass(frozen=True)
class Policy:
    """A policy of a user, a group or a role.

    Attributes:
        name: Its name.
        arn: Of a managed one; empty for one that is written into its holder.
    """

    name: str
    arn: str = ""


@dataclass(frozen=True)
class Used:
    """What the access advisor has seen of a user.

    Attributes:
        actions: `s3:GetObject`, where it tells actions.
        services: Those of which it tells that they were used, and not which action.
    """

    actions: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Decision:
    """What SimulatePrincipalPolicy says of one action on every resource.

    Attributes:
        allowed: Whether it may.
        depends: A condition decides, whose value is not known here.
    """

    allowed: bool
    depends: bool


class IamQuestions:
    """Questions to IAM by one session.

    Attributes:
        hidden: What it did not answer, in sentences.
    """

    def __init__(self, aws: Aws, session: Credentials, region: str) -> None:
        self._aws = aws
        self._client = aws.client("iam", region, session)
        self._is_silent = False
        self.hidden: list[str] = []

    def policies(self, kind: Kind, name: str) -> set[Policy] | None:
        """The policies of a user with its groups, or of a role; None where they are hidden."""
        own = self._policies_of(kind, name)
        if kind != "user":
            return own
        groups = self._ask("ListGroupsForUser", lambda: self._groups(name))
        if own is None or groups is None:
            return None
        for group in groups:
            of_group = self._policies_of("group", group)
            if of_group is None:
                return None
            own |= of_group
        return own

    def role_arn(self, role: str) -> str | None:
        """The role's ARN with its path, which a session's lacks; None where it is hidden."""
        reply = self._ask("GetRole", lambda: self._client.get_role(RoleName=role))
        return str(reply["Role"]["Arn"]) if reply else None

    def used(self, clock: Clock, arn: str) -> Used | None:
        """What the access advisor has seen of a user; None where it does not say."""
        begun = self._ask(
            "GenerateServiceLastAccessedDetails",
            lambda: self._client.generate_service_last_accessed_details(
                Arn=arn, Granularity="ACTION_LEVEL"
            ),
        )
        if begun is None:
            return None
        until = clock.monotonic() + ADVISOR_SECONDS
        while clock.monotonic() < until:
            details = self._ask(
                "GetServiceLastAccessedDetails",
                lambda: list(
                    pages(self._client.get_service_last_accessed_details, JobId=begun["JobId"])
                ),
            )
            if details is None:
                return None
            status = details[0]["JobStatus"]
            if status == "FAILED":
                self.hidden.append(
                    "the access advisor failed: which actions were used is not known"
                )
                return None
            if status != "IN_PROGRESS":
                return _used(
                    service for page in details for service in page.get("ServicesLastAccessed", [])
                )
            clock.sleep(_ADVISOR_PAUSE_SECONDS)
        self.hidden.append(f"the access advisor was too slow: {_NOT_KNOWN}")
        return None

    def decisions(self, arn: str, actions: Sequence[str]) -> dict[str, Decision] | None:
        """By action, whether a user or role may do it on every resource; None where hidden."""

        def ask() -> dict[str, Decision]:
            return {
                result["EvalActionName"]: Decision(
                    result["EvalDecision"] == "allowed", bool(result.get("MissingContextValues"))
                )
                for start in range(0, len(actions), ACTIONS_A_CALL)
                for page in pages(
                    self._client.simulate_principal_policy,
                    PolicySourceArn=arn,
                    ActionNames=list(actions[start : start + ACTIONS_A_CALL]),
                )
                for result in page["EvaluationResults"]
            }

        return self._ask(f"SimulatePrincipalPolicy of {arn.split(':', 5)[-1]}", ask)

    def _policies_of(self, kind: Kind, name: str) -> set[Policy] | None:
        of = {f"{kind.capitalize()}Name": name}
        attached = getattr(self._client, f"list_attached_{kind}_policies")
        inline = getattr(self._client, f"list_{kind}_policies")

        def ask() -> set[Policy]:
            return {
                Policy(policy["PolicyName"], policy.get("PolicyArn", ""))
                for page in pages(attached, **of)
                for policy in page["AttachedPolicies"]
            } | {Policy(policy) for page in pages(inline, **of) for policy in page["PolicyNames"]}

        whose = f"group {name}" if kind == "group" else kind
        return self._ask(f"the policies of the {whose}", ask)

    def _groups(self, user: str) -> list[str]:
        asked = pages(self._client.list_groups_for_user, UserName=user)
        return [group["GroupName"] for page in asked for group in page["Groups"]]

    def _ask(self, what: str, call: Callable[[], T]) -> T | None:
        """The reply; None where the session may not ask, or is not answered."""
        if self._is_silent:
            return None
        try:
            with self._aws.errors(what):
                return call()
        except NetworkError as error:
            self._is_silent = True  # each further question might take as long
            self.hidden.append(f"IAM does not answer, so no more is compared: {error.message}")
        except AwsLoginError:
            self.hidden.append(f"{what}: this session may not ask IAM, so it is not compared")
        return None


def _used(services: Iterator[Mapping[str, Any]]) -> Used:
    actions: set[str] = set()
    untold: set[str] = set()
    for service in services:
        name = service["ServiceNamespace"]
        used = {
            f"{name}:{action['ActionName']}"
            for action in service.get("TrackedActionsLastAccessed", [])
            if "LastAccessedTime" in action
        }
        actions |= used
        if not used and "LastAuthenticated" in service:
            untold.add(name)
    return Used(frozenset(actions), frozenset(untold))
