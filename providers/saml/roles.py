"""Which of the assertion's roles a profile means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from broker.errors import AwsLoginError, InteractionRequired, RoleRefused, UnexpectedReply
from broker.nearest import nearest
from broker.ports.aws_errors import error_code
from broker.ports.ui import Ui
from broker.provider import Account, Request
from broker.terminal_text import one_line
from providers.saml.assertion import Assertion, Role

MOST_NAMED = 8
"""Roles in a message."""


def choose(assertion: Assertion, request: Request, provider_arn: str | None, ui: Ui) -> Role:
    """The role that the request names, else the only one, else the person's pick.

    Args:
        assertion: What the sign-in holds.
        request: What the profile asks for.
        provider_arn: `saml_provider_arn` of the YAML; an encrypted assertion needs it.
        ui: The person.

    Raises:
        RoleRefused: The assertion does not hold the role.
        UnexpectedReply: It is encrypted, and the YAML does not say what is in it.
        InteractionRequired: Several, and nobody to pick.
    """
    if assertion.encrypted:
        if not (request.role_arn and provider_arn):
            raise UnexpectedReply(
                "the assertion is encrypted, so its roles cannot be read here",
                hint="set `role_arn` in the profile and `saml_provider_arn` in the provider",
            )
        return Role(request.role_arn, provider_arn)
    held = [role for role in assertion.roles if provider_arn in {None, role.provider_arn}]
    wanted = [role for role in held if _is_wanted(role, request)]
    if not wanted:
        near = _nearest(request, held)
        names = ", ".join(role.role_arn for role in held[:MOST_NAMED]) or "none at all"
        if len(held) > MOST_NAMED:
            names += f" and {len(held) - MOST_NAMED} more (`awslogin discover PROVIDER` lists them)"
        raise RoleRefused(
            f"the sign-in does not hold {_requested_role(request)}; it holds {names}",
            hint=f"did you mean {near}?" if near else "ask for the role, or name one of those",
        )
    if len(wanted) > 1 and not ui.interactive:
        raise InteractionRequired(
            f"the sign-in holds {len(wanted)} roles and the profile does not say which",
            hint="set `account` and `role`, or `role_arn`; of one role through several providers,"
            " `saml_provider_arn`",
        )
    lines = [_line(role, wanted) for role in wanted]
    return wanted[ui.choose("Which role?", lines, hint="`role_arn` in the profile")]


@contextmanager
def explained(role: Role, assertion: Assertion, profile: str) -> Iterator[None]:
    """Say beside STS's refusal of an assertion what it says, and what IAM needs to say."""
    try:
        yield
    except AwsLoginError as error:
        code = error_code(error.__cause__)
        if code == "AccessDenied":
            error.hint = (
                f"the assertion says {_claims(assertion)}; the trust policy of {role.role_arn} must"
                f" allow sts:AssumeRoleWithSAML to {role.provider_arn} with that SAML:aud;"
                f" `awslogin trust-policy {profile}` writes one"
            )
        elif code == "InvalidIdentityToken":
            error.hint = (
                f"the assertion says {_claims(assertion)}; does {role.provider_arn} exist in the"
                " role's account, with this identity provider's present metadata (issuer and"
                " certificate)?"
            )
        elif code == "IDPRejectedClaim":
            error.hint = "IAM does not take what the assertion says, or takes it once: run it again"
        raise


def accounts(assertion: Assertion) -> list[Account]:
    """The assertion's roles by account.

    Raises:
        UnexpectedReply: It is encrypted.
    """
    if assertion.encrypted:
        raise UnexpectedReply(
            "the assertion is encrypted, so its roles cannot be read here",
            hint="ask the identity provider's administrator for the list",
        )
    found: dict[str, set[str]] = {}
    for role in assertion.roles:
        account, name = role.role_arn.split(":")[4], role.role_arn.partition(":role/")[2]
        found.setdefault(account, set()).add(name)
    return [Account(account, None, tuple(sorted(names))) for account, names in found.items()]


def _claims(assertion: Assertion) -> str:
    """What the assertion says that a trust policy may ask for, for a message."""
    if assertion.encrypted:
        return "what AWS alone can read, as it is encrypted"
    return (
        f"audience {one_line(', '.join(assertion.audiences)) or 'none'},"
        f" SAML:aud {one_line(', '.join(assertion.recipients)) or 'none'},"
        f" issuer {one_line(assertion.issuer) or 'none'}"
    )


def _is_wanted(role: Role, request: Request) -> bool:
    if request.role_arn and not request.role:
        return role.role_arn == request.role_arn
    if request.account and role.role_arn.split(":")[4] != request.account:
        return False
    return request.role is None or role.role_arn.partition(":role/")[2] == request.role


def _line(role: Role, among: list[Role]) -> str:
    """The role, with its provider where the same role comes through several."""
    several = sum(other.role_arn == role.role_arn for other in among) > 1
    return f"{role.role_arn} through {role.provider_arn}" if several else role.role_arn


def _nearest(request: Request, held: list[Role]) -> str:
    """The held role whose name is like the one asked for."""
    wanted = request.role_arn or f"arn:aws:iam::{request.account}:role/{request.role}"
    return nearest(wanted, [role.role_arn for role in held], cutoff=0.85) or ""


def _requested_role(request: Request) -> str:
    """The role that the request asks for, for a message."""
    if request.role_arn:
        return request.role_arn
    return f"a role in {request.account}" if request.account else "any role"
