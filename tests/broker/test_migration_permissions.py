"""What `migrate` says of permissions: differences by name and by use, and what IAM hides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from broker.errors import NetworkError, RoleRefused
from broker.migration.permissions import differences
from broker.ports.iam_keys import IamKeys
from broker.provider import Credentials
from broker.secret import Secret
from broker.testing import FakeClock

USER = "arn:aws:iam::111122223333:user/team/ann"
ROLE = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/Developer"
SESSION = Credentials("ASIAIOSFODNN7EXAMPLE", Secret("x" * 40), Secret("token"))
NEITHER = "neither may on every resource, so what each may is not compared"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Refused(Exception):
    pass


class Silent(Exception):
    pass


class Iam:
    """IAM's replies, a few entries a page; methods in `hidden` are refused."""

    def __init__(self, hidden: tuple[str, ...] = (), page_size: int = 2) -> None:
        self.hidden = hidden
        self.silent = False
        self.page_size = page_size
        self.asked: list[str] = []
        self.job_status = ["IN_PROGRESS", "COMPLETED"]
        self.lists: dict[str, Sequence[Any]] = {
            "list_attached_user_policies": _managed("ReadOnlyAccess"),
            "list_user_policies": ["own", "shared"],
            "list_groups_for_user": [{"GroupName": "devs"}],
            "list_attached_group_policies": _managed("PowerUserAccess"),
            "list_group_policies": [],
            "list_attached_role_policies": _managed("ReadOnlyAccess", "Billing"),
            "list_role_policies": ["shared"],
        }
        self.used = {"s3": ["GetObject", "ListBucket"], "ec2": ["RunInstances"], "sqs": []}
        self.denied: dict[str, dict[str, list[str]]] = {
            ROLE: {"s3:ListBucket": [], "ec2:RunInstances": []},
            USER: {},
        }
        self.untold: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        def call(**asked: Any) -> Any:
            self.asked.append(name)
            if self.silent:
                raise Silent(name)
            if name in self.hidden:
                raise Refused(name)
            if name in self.lists:
                return self._listed(name, asked)
            return getattr(type(self), f"on_{name}")(self, asked)

        return call

    def _page(self, entries: Sequence[Any], asked: Any) -> tuple[Sequence[Any], dict[str, Any]]:
        start = int(asked.get("Marker", 0))
        rest = start + self.page_size < len(entries)
        more = {"IsTruncated": rest, **({"Marker": str(start + self.page_size)} if rest else {})}
        return entries[start : start + self.page_size], more

    def _listed(self, name: str, asked: Any) -> Any:
        (whose,) = {key: value for key, value in asked.items() if key != "Marker"}.items()
        assert whose in {("UserName", "ann"), ("GroupName", "devs"), ("RoleName", "Developer")}
        shown, more = self._page(self.lists[name], asked)
        kind = "Groups" if "groups" in name else "PolicyNames"
        return {("AttachedPolicies" if "attached" in name else kind): shown, **more}

    def on_get_role(self, asked: Any) -> Any:
        assert asked == {"RoleName": "Developer"}
        return {"Role": {"Arn": ROLE}}

    def on_generate_service_last_accessed_details(self, asked: Any) -> Any:
        assert asked == {"Arn": USER, "Granularity": "ACTION_LEVEL"}
        return {"JobId": "job"}

    def on_get_service_last_accessed_details(self, asked: Any) -> Any:
        status = self.job_status.pop(0) if len(self.job_status) > 1 else self.job_status[0]
        if status != "COMPLETED":
            return {"JobStatus": status}
        services = [
            {
                "ServiceNamespace": service,
                "LastAuthenticated": NOW,
                "TrackedActionsLastAccessed": [
                    *({"ActionName": name, "LastAccessedTime": NOW} for name in actions),
                    {"ActionName": "Untouched"},
                ],
            }
            for service, actions in self.used.items()
        ]
        shown, more = self._page([*services, {"ServiceNamespace": "never"}], asked)
        return {"JobStatus": status, "ServicesLastAccessed": shown, **more}

    def on_simulate_principal_policy(self, asked: Any) -> Any:
        assert len(asked["ActionNames"]) <= 100
        denied = self.denied[asked["PolicySourceArn"]]
        results = [
            {
                "EvalActionName": name,
                "EvalDecision": "implicitDeny" if name in denied else "allowed",
                "MissingContextValues": denied.get(name, []),
            }
            for name in asked["ActionNames"]
            if name not in self.untold
        ]
        shown, more = self._page(results, asked)
        return {"EvaluationResults": shown, **more}

    def on_list_access_keys(self, asked: Any) -> Any:
        keys = [{"AccessKeyId": f"AKIA{n}", "CreateDate": NOW} for n in range(205)]
        shown, more = self._page(keys, asked)
        return {"AccessKeyMetadata": shown, **more}


def _managed(*names: str) -> list[dict[str, str]]:
    return [{"PolicyName": n, "PolicyArn": f"arn:aws:iam::aws:policy/{n}"} for n in names]


class Aws:
    def __init__(self, iam: Iam) -> None:
        self._iam = iam

    def client(self, service: str, region: str, credentials: Credentials, **_: Any) -> Iam:
        assert (service, credentials) == ("iam", SESSION)
        return self._iam

    @contextlib.contextmanager
    def errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except Refused as error:
            raise RoleRefused(f"{what}: AccessDenied") from error
        except Silent as error:
            raise NetworkError(f"{what}: no answer") from error


def told(iam: Iam) -> list[str]:
    aws: Any = Aws(iam)
    return differences(aws, FakeClock(), SESSION, "eu-west-1", user_arn=USER, role="Developer")


def test_differences_by_name_and_by_use() -> None:
    assert told(Iam()) == [
        "ec2:RunInstances: the user has used it, the role may not",
        "policy Billing: the role has it, the user does not",
        "policy PowerUserAccess: the user has it, the role does not",
        "policy own: the user has it, the role does not",
        "policy shared: both have an inline one of this name; compare them",
        "s3:ListBucket: the user has used it, the role may not",
        "sqs: the user has used it; IAM does not say which of its actions",
    ]


def test_what_is_not_sure_is_not_called_a_difference() -> None:
    iam = Iam()
    iam.denied[ROLE]["s3:ListBucket"] = ["aws:SourceVpc"]
    iam.denied[USER]["ec2:RunInstances"] = []
    iam.untold = {"s3:GetObject"}
    assert [line for line in told(iam) if line.startswith(("s3", "ec2"))] == [
        f"ec2:RunInstances: the user has used it; {NEITHER}",
        "s3:GetObject: the user has used it; IAM does not say whether the role may",
        "s3:ListBucket: the user has used it; for the role a condition decides",
    ]


@pytest.mark.parametrize("page_size", [3, 100])
def test_long_lists_are_read_to_their_end(page_size: int) -> None:
    iam = Iam(page_size=page_size)
    users = [f"u{n}" for n in range(150)]
    iam.lists |= {
        "list_attached_user_policies": _managed(*users),
        "list_user_policies": [f"i{n}" for n in range(150)],
        "list_groups_for_user": [{"GroupName": "devs"}] * 12,
        "list_group_policies": [f"g{n}" for n in range(150)],
        "list_attached_role_policies": _managed(*users[:149]),
        "list_role_policies": [f"i{n}" for n in range(149)] + [f"g{n}" for n in range(149)],
    }
    iam.used = {f"s{n}": [f"A{m}" for m in range(3)] for n in range(120)}
    iam.denied[ROLE] = {"s119:A2": [], "s0:A0": []}
    lines = [line for line in told(iam) if "both have" not in line]
    assert lines == [
        "policy PowerUserAccess: the user has it, the role does not",
        "policy g149: the user has it, the role does not",
        "policy i149: the user has it, the role does not",
        "policy u149: the user has it, the role does not",
        "s0:A0: the user has used it, the role may not",
        "s119:A2: the user has used it, the role may not",
    ]


def test_access_keys_are_read_to_their_end() -> None:
    aws: Any = Aws(Iam(page_size=100))
    assert len(IamKeys(aws, SESSION, "eu-west-1").listed()) == 205


def test_what_is_hidden_is_said_and_not_guessed() -> None:
    shown = told(Iam(hidden=("list_group_policies", "get_role")))
    assert not [line for line in shown if line.startswith(("policy", "s3", "ec2"))]
    assert [line for line in shown if "the policies of the group devs" in line]
    assert [line for line in shown if "GetRole" in line]
    shown = told(Iam(hidden=("simulate_principal_policy",)))
    assert "SimulatePrincipalPolicy of role/" in "".join(shown)
    assert not [line for line in shown if line.startswith(("s3", "ec2"))]


@pytest.mark.parametrize(("status", "said"), [("FAILED", "failed"), ("IN_PROGRESS", "too slow")])
def test_an_advisor_without_an_answer_is_said(status: str, said: str) -> None:
    iam = Iam()
    iam.job_status = [status]
    assert [line for line in told(iam) if f"{said}: which actions were used" in line]


def test_a_silent_iam_is_asked_once_and_stops_no_migration() -> None:
    iam = Iam()
    iam.silent = True
    (line,) = told(iam)
    assert "does not answer" in line
    assert len(iam.asked) == 1
