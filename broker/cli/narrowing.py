"""`--read-only`, `--policy`, `--policy-arn`: a session that may do less than its role.

Owns the options and what a policy's file must be; how policies meet is `Profile.narrowed_to`'s.
Source: AWS STS API Reference, AssumeRole: `Policy` (2,048 characters from U+0020 to U+00FF) and
`PolicyArns` (ten, of AWS or of the role's own account).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from broker.arn import account_of, partition_of
from broker.cli.app import App
from broker.errors import UsageError
from broker.paths import expanded

if TYPE_CHECKING:
    from broker.config import Profile

F = TypeVar("F", bound=Callable[..., Any])

MAX_POLICY = 2048
"""Characters of a session policy."""
MAX_POLICY_ARNS = 10
SERVED_SECONDS = 15 * 60
"""Of a narrowed session that renews itself: AWS gives none that is shorter."""
MAX_FILE_BYTES = 1 << 20
"""Of a policy's file: more than any policy is, however it is laid out."""


@dataclass(frozen=True)
class Narrowing:
    """What the command line allows a session at most; nothing at all where it says nothing.

    Attributes:
        read_only: What AWS's ReadOnlyAccess allows.
        policy: A session policy, as compact JSON.
        policy_arns: Managed policies.
    """

    read_only: bool
    policy: str | None
    policy_arns: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.read_only or self.policy is not None or bool(self.policy_arns)

    def of(self, app: App, profile: Profile, *, served_for: int | None = None) -> Profile:
        """The profile, narrowed where the command line says so; nobody is contacted.

        Args:
            app: Says which provider would run.
            profile: The profile.
            served_for: Seconds of a session that renews itself, where the person says none.

        Raises:
            UsageError: This profile's session cannot be narrowed, or not in this way.
        """
        if not self:
            return profile
        from broker.config.profile import read_only

        arns = {*self.policy_arns, *([read_only(profile)] if self.read_only else [])}
        for arn in arns:
            _require_in_reach(arn, profile)
        if len(arns) > MAX_POLICY_ARNS:
            raise UsageError(
                f"{len(arns)} managed policies: AWS takes {MAX_POLICY_ARNS} for a session",
                hint="put them together in one `--policy` or one managed policy",
            )
        narrowed = profile.narrowed_to(self.policy, tuple(sorted(arns)))
        with app.naming(profile.name):
            app.broker.plugins.identity(narrowed)
        return narrowed if served_for is None else narrowed.with_duration(served_for)


def narrowing_options(function: F) -> F:
    """The options that narrow a session; they arrive as `narrowing`."""

    @functools.wraps(function)
    def with_narrowing(app: App, **options: Any) -> Any:
        files = options.pop("policy_files")
        if len(files) > 1:
            raise UsageError("--policy is given twice", hint="AWS takes one policy and ten ARNs")
        narrowing = Narrowing(
            read_only=options.pop("read_only"),
            policy=_policy_of(files[0]) if files else None,
            policy_arns=tuple(options.pop("policy_arns")),
        )
        return function(app, narrowing=narrowing, **options)

    for option in (
        click.option(
            "--policy-arn",
            "policy_arns",
            metavar="ARN",
            multiple=True,
            help="A session within this managed policy.",
        ),
        click.option(
            "--policy",
            "policy_files",
            metavar="FILE",
            multiple=True,
            help="A session within this policy.",
        ),
        click.option("--read-only", is_flag=True, help="A session within ReadOnlyAccess."),
    ):
        with_narrowing = option(with_narrowing)
    return with_narrowing  # type: ignore[return-value]


def served_for(duration: int | None) -> int | None:
    """Seconds of a narrowed session that renews itself: few, unless the person has said it."""
    return SERVED_SECONDS if duration is None else None


def _require_in_reach(arn: str, profile: Profile) -> None:
    """A managed policy must be AWS's or of the role's own account, in its partition.

    Raises:
        UsageError: It is another one, or no policy's ARN.
    """
    from broker.config.values import POLICY_ARN

    if not re.fullmatch(POLICY_ARN, arn, re.ASCII):
        raise UsageError(
            "--policy-arn takes a policy's ARN",
            hint="such as arn:aws:iam::aws:policy/ReadOnlyAccess",
        )
    partition = partition_of(profile.region, profile.role_arn)
    account = profile.account or account_of(profile.role_arn)
    if arn.split(":")[1] != partition:
        raise UsageError(f"{arn} is not in {partition}, the partition of {profile.name}")
    if account_of(arn) and account and account_of(arn) != account:
        raise UsageError(
            f"{arn} is not in the account of {profile.name}, {account}",
            hint="AWS takes its own policies and those of the role's account",
        )


def _policy_of(path: str) -> str:
    """The policy that a file holds, as compact JSON.

    Raises:
        UsageError: The file cannot be read, or holds none that AWS would take.
    """
    if path == "-" or not path:
        raise UsageError(
            "--policy takes a file", hint="of a pipe: `--policy /dev/stdin`, or `<(…)`"
        )
    try:
        with expanded(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"--policy: {path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(f"--policy: {path} is larger than any session policy")
    try:
        policy = json.loads(content, object_pairs_hook=_object, parse_constant=_no_number)
        compact = json.dumps(policy, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        reason = _where(error) if isinstance(error, json.JSONDecodeError) else str(error)
        about = "it is nested too deeply" if isinstance(error, RecursionError) else reason
        raise UsageError(f"--policy: {path} holds no JSON: {about}") from None
    if not isinstance(policy, dict) or not isinstance(policy.get("Statement"), dict | list):
        raise UsageError(f"--policy: {path} holds no IAM policy: it has no `Statement`")
    if max(compact) > "\xff":
        compact = json.dumps(policy, separators=(",", ":"))
    if len(compact) > MAX_POLICY:
        raise UsageError(
            f"--policy: {path} has {len(compact):,} characters without its spaces; AWS takes"
            f" {MAX_POLICY:,}",
            hint="shorten it, or make it a managed policy and name that: --policy-arn",
        )
    return compact


def _where(error: json.JSONDecodeError) -> str:
    return f"line {error.lineno}, column {error.colno}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; which of two values under one key counts is nobody's to guess."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"`{twice[:40]}` stands twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
