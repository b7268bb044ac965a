"""What `migrate` says of permissions: differences by name and by use, and what IAM hides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from broker.errors import RoleRefused
from broker.migration.permissions import differences
from broker.provider import Credentials
from broker.secret import Secret
from broker.testing import FakeClock

USER = "arn:aws:iam::111122223333:user/team/ann"
ROLE = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/Developer"
SESSION = Credentials("ASIAIOSFODNN7EXAMPLE", Secret("x" * 40), Secret("token"))


class Refused(Exception):
    pass


class Iam:
    """IAM's replies; methods in `hidden` are refused."""

    def __init__(self, hidden: tuple[str, ...]) -> None:
        self._hidden = hidden
        self._jobs = 0

    def __getattr__(self, name: str) -> Any:
        def call(**asked: Any) -> Any:
            if name in self._hidden:
                raise Refused(name)
            return getattr(type(self), f"on_{name}")(self, asked)

        return call

    def on_list_attached_user_policies(self, asked: Any) -> Any:
        assert asked == {"UserName": "ann"}
        return {"AttachedPolicies": [{"PolicyName": "ReadOnlyAccess"}]}

    def on_list_user_policies(self, asked: Any) -> Any:
        return {"PolicyNames": ["own"]}

    def on_list_groups_for_user(self, asked: Any) -> Any:
        return {"Groups": [{"GroupName": "devs"}]}

    def on_list_attached_group_policies(self, asked: Any) -> Any:
        return {"AttachedPolicies": [{"PolicyName": "PowerUserAccess"}]}

    def on_list_group_policies(self, asked: Any) -> Any:
        return {"PolicyNames": []}

    def on_list_attached_role_policies(self, asked: Any) -> Any:
        return {"AttachedPolicies": [{"PolicyName": "ReadOnlyAccess"}, {"PolicyName": "Billing"}]}

    def on_list_role_policies(self, asked: Any) -> Any:
        return {"PolicyNames": []}

    def on_get_role(self, asked: Any) -> Any:
        return {"Role": {"Arn": ROLE}}

    def on_generate_service_last_accessed_details(self, asked: Any) -> Any:
        assert asked == {"Arn": USER, "Granularity": "ACTION_LEVEL"}
        return {"JobId": "job"}

    def on_get_service_last_accessed_details(self, asked: Any) -> Any:
        self._jobs += 1
        if self._jobs == 1:
            return {"JobStatus": "IN_PROGRESS"}
        used = {"ActionName": "GetObject", "LastAccessedTime": datetime.now(UTC)}
        actions = [used, {"ActionName": "PutObject"}, {**used, "ActionName": "ListBucket"}]
        service = {"ServiceNamespace": "s3", "TrackedActionsLastAccessed": actions}
        return {"JobStatus": "COMPLETED", "ServicesLastAccessed": [service]}

    def on_simulate_principal_policy(self, asked: Any) -> Any:
        assert asked["PolicySourceArn"] == ROLE
        assert asked["ActionNames"] == ["s3:GetObject", "s3:ListBucket"]
        decisions = {"s3:GetObject": "allowed", "s3:ListBucket": "implicitDeny"}
        return {
            "EvaluationResults": [
                {"EvalActionName": name, "EvalDecision": decision}
                for name, decision in decisions.items()
            ]
        }


class Aws:
    def __init__(self, *hidden: str) -> None:
        self._iam = Iam(hidden)

    def client(self, service: str, region: str, credentials: Credentials) -> Iam:
        assert (service, credentials) == ("iam", SESSION)
        return self._iam

    @contextlib.contextmanager
    def errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except Refused as error:
            raise RoleRefused(f"{what}: AccessDenied") from error


def told(*hidden: str) -> list[str]:
    aws: Any = Aws(*hidden)
    return differences(aws, FakeClock(), SESSION, "eu-west-1", user_arn=USER, role="Developer")


def test_differences_by_name_and_by_use() -> None:
    assert told() == [
        "policy Billing: the role has it, the user does not",
        "policy PowerUserAccess: the user has it, the role does not",
        "policy own: the user has it, the role does not",
        "s3:ListBucket: the user has used it, the role may not",
    ]


def test_what_is_hidden_is_said_and_not_guessed() -> None:
    shown = told("list_group_policies", "get_role")
    assert not [line for line in shown if line.startswith("policy") or "s3:" in line]
    assert [line for line in shown if "the policies of the group devs" in line]
    assert [line for line in shown if "GetRole" in line]
