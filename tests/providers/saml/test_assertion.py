"""Reading SAMLResponses, good and bad."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker.errors import (
    AwsLoginError,
    InteractionRequired,
    LoginRefused,
    RoleRefused,
    UnexpectedReply,
)
from broker.provider import Request
from broker.testing import ScriptedUi
from providers.saml import roles
from providers.saml.assertion import Role, is_for_another, read
from tests.providers.saml.walks import ADMIN, ANYTHING, Walk
from tests.sandbox import DEV, PROD, Sandbox

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROVIDER = f"arn:aws:iam::{PROD}:saml-provider/corp"
TIME = "2026-01-01T00:{:02}:00Z"


def role(name: str, partition: str = "aws", provider: str = "corp") -> Role:
    return Role(
        f"arn:{partition}:iam::{PROD}:role/{name}",
        f"arn:{partition}:iam::{PROD}:saml-provider/{provider}",
    )


def response(
    *values: str,
    prefix: str = "x",
    issued: int = 0,
    conditions: int = 60,
    subject: int = 60,
    duration: str = "",
    before: str = "",
    statement: str = "",
) -> str:
    attribute = "https://aws.amazon.com/SAML/Attributes/"
    p = f"{prefix}:" if prefix else ""
    xmlns = f"xmlns{':' if prefix else ''}{prefix}"
    found = "".join(f"<{p}AttributeValue>{value}</{p}AttributeValue>" for value in values)
    text = (
        f'{before}<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol">'
        '<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>'
        f'<{p}Assertion {xmlns}="urn:oasis:names:tc:SAML:2.0:assertion"'
        f' IssueInstant="{TIME.format(issued)}"><{p}Subject><{p}SubjectConfirmation>'
        f'<{p}SubjectConfirmationData NotOnOrAfter="{at(subject)}"/></{p}SubjectConfirmation>'
        f'</{p}Subject><{p}Conditions NotOnOrAfter="{at(conditions)}"/>{statement}'
        f'<{p}AttributeStatement><{p}Attribute Name="{attribute}Role">{found}</{p}Attribute>'
        f'<{p}Attribute Name="{attribute}SessionDuration"><{p}AttributeValue>{duration}'
        f"</{p}AttributeValue></{p}Attribute></{p}AttributeStatement></{p}Assertion></p:Response>"
    )
    return base64.b64encode(text.encode()).decode()


def at(minutes: int) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize("prefix", ["saml", "", "ns0"])
def test_roles_by_namespace_in_either_order(prefix: str) -> None:
    admin, team = role("Admin"), role("team/Dev")
    got = read(
        response(
            f"{admin.role_arn},{admin.provider_arn}",
            f"\n  {team.provider_arn} ,\n {team.role_arn}\t",
            f"{admin.role_arn},{admin.provider_arn}",
            prefix=prefix,
        ),
        NOW,
    )
    assert got.roles == (admin, team)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])
def test_every_partition(partition: str) -> None:
    there = role("Admin", partition)
    assert read(response(f"{there.role_arn},{there.provider_arn}"), NOW).roles == (there,)


@pytest.mark.parametrize(
    "bad",
    ["", ",", "nonsense", f"{role('A').role_arn}", f"{role('A').role_arn},{role('B').role_arn}",
     f"{PROVIDER},{PROVIDER}", f"{role('A').role_arn},{PROVIDER},x", "arn:aws:iam::1:role/A,y"],
)  # fmt: skip
def test_a_malformed_value_spoils_itself_alone(bad: str) -> None:
    good = role("Admin")
    assert read(response(bad, f"{good.role_arn},{good.provider_arn}"), NOW).roles == (good,)


@pytest.mark.parametrize(
    ("issued", "conditions", "subject", "minutes"),
    [(0, 60, 60, 5), (0, 1, 60, 1), (0, 60, 2, 2), (3, 60, 60, 8)],
)
def test_usable_until_the_earliest(
    issued: int, conditions: int, subject: int, minutes: int
) -> None:
    got = read(response(issued=issued, conditions=conditions, subject=subject), NOW)
    assert got.usable_until == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:00:00-05:00"]
)
def test_times_at_the_end_of_all_time(moment: str) -> None:
    text = base64.b64decode(response()).replace(at(60).encode(), moment.encode())
    text = text.replace(TIME.format(0).encode(), moment.encode())
    got = read(base64.b64encode(text).decode(), NOW)
    assert got.usable_until == NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7200", 7200), (" 3600 ", 3600), ("1", 900), ("99999999", 43200), ("²", None), ("-5", None),
     ("1h", None), ("9" * 5000, None), ("", None)],
)  # fmt: skip
def test_session_durations(said: str, seconds: int | None) -> None:
    assert read(response(duration=said), NOW).session_duration == seconds


@pytest.mark.parametrize(
    "encoded",
    [
        "not base64!",
        base64.b64encode(b"<html/>").decode(),
        base64.b64encode(b"<a").decode(),
        base64.b64encode(b"\xff\xfe").decode(),
        response(before='<!DOCTYPE r [<!ENTITY a "b">]>'),
        response(before='<!DOCTYPE r SYSTEM "file:///etc/passwd">'),
        response(before='<?xml version="1.0" encoding="none-such"?>'),
        base64.b64encode(b"<a>" * 100 + b"</a>" * 100).decode(),
        base64.b64encode(b"<a>" + b" " * 1_100_000 + b"</a>").decode(),
    ],
)
def test_what_is_no_response(encoded: str) -> None:
    with pytest.raises(UnexpectedReply):
        read(encoded, NOW)
    assert is_for_another(encoded) is False


def test_a_refusal_instead_of_an_assertion(sandbox: Sandbox) -> None:
    status = "urn:oasis:names:tc:SAML:2.0:status:Responder"
    with pytest.raises(LoginRefused, match="Responder"):
        read(sandbox.assertion(status=status), NOW)


def test_an_assertion_that_came_too_late(sandbox: Sandbox) -> None:
    sandbox.idp.response = {"issued": 400}
    with pytest.raises(LoginRefused, match="had run out") as refused:
        Walk(sandbox, "form", sandbox.idp.url).arn()
    assert "clock" in refused.value.hint


def test_a_kept_assertion_that_sts_takes_no_more(sandbox: Sandbox) -> None:
    walk = Walk(sandbox, "form", sandbox.idp.url)
    walk.arn()
    sandbox.world.advance(600)
    walk.arn()
    assert sandbox.idp.passwords_seen == 2


def test_many_roles_outlast_an_assertion(sandbox: Sandbox) -> None:
    walk = Walk(sandbox, "form", sandbox.idp.url)
    walk.arn()
    walk.clock.advance(301)
    sandbox.world.advance(301)
    walk.arn(Request(profile="read", region="eu-west-1", account=PROD, role="ReadOnly"))
    assert sandbox.idp.passwords_seen == 2


def test_a_session_ends_when_the_provider_says(sandbox: Sandbox) -> None:
    sandbox.idp.response = {"session_ends": 1200}
    walk = Walk(sandbox, "form", sandbox.idp.url)
    ends = walk.provider.login(ADMIN).expires_at
    assert ends
    assert timedelta(minutes=18) < ends - walk.clock.now() <= timedelta(minutes=20)


@pytest.mark.parametrize(
    ("partition", "asked", "region"),
    [
        ("aws", "eu-west-1", "eu-west-1"),
        ("aws-cn", "eu-west-1", "cn-north-1"),
        ("aws-cn", "cn-northwest-1", "cn-northwest-1"),
        ("aws-us-gov", "us-east-1", "us-gov-west-1"),
        ("aws-eusc", "us-east-1", "eusc-de-east-1"),
        ("aws-iso", "us-iso-east-1", "us-iso-east-1"),
    ],
)
def test_a_role_is_taken_in_its_own_partition(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, partition: str, asked: str, region: str
) -> None:
    walk = Walk(sandbox, "form", sandbox.idp.url)
    regions: list[str] = []

    def client(_: str, region: str) -> None:
        regions.append(region)
        raise RoleRefused("enough")

    monkeypatch.setattr(walk.provider.ports.aws, "client", client)
    one = role("Admin", partition)
    encoded = response(f"{one.role_arn},{one.provider_arn}")
    walk.clock.advance((NOW - walk.clock.now()).total_seconds())
    walk.secrets.remember("assertion", {"response": encoded}, until=NOW + timedelta(minutes=5))
    with pytest.raises(RoleRefused, match="enough"):
        walk.arn(Request(profile="any", region=asked))
    assert regions == [region]


def test_discover(sandbox: Sandbox) -> None:
    walk = Walk(sandbox, "form", sandbox.idp.url)
    assert [(one.account_id, one.roles) for one in walk.provider.discover()] == [
        (DEV, ("ReadOnly",)),
        (PROD, ("Admin", "ReadOnly")),
    ]
    walk.arn()
    assert sandbox.idp.passwords_seen == 1


def choose(request: Request, *held: Role, **more: Any) -> Role:
    values = [f"{one.role_arn},{one.provider_arn}" for one in held]
    ui = ScriptedUi(more.pop("answers", None))
    return roles.choose(read(response(*values), NOW), request, more.get("provider_arn"), ui)


def test_choosing_a_role() -> None:
    admin, dev, china = role("Admin"), role("team/Dev"), role("Admin", "aws-cn")
    by_name = Request(profile="p", region="eu-west-1", account=PROD, role="team/Dev")
    assert choose(by_name, admin, dev) == dev
    by_arn = Request(profile="p", region="eu-west-1", role_arn=china.role_arn)
    assert choose(by_arn, admin, china) == china
    assert choose(ANYTHING, admin) == admin
    assert choose(ANYTHING, admin, dev, answers=["team"]) == dev
    with pytest.raises(InteractionRequired, match="2 roles"):
        choose(ANYTHING, admin, dev)
    near = Request(profile="p", region="eu-west-1", account=PROD, role="Admins")
    with pytest.raises(RoleRefused) as refused:
        choose(near, admin, dev)
    assert admin.role_arn in refused.value.hint


def test_one_role_through_two_providers() -> None:
    one, other = role("Admin"), role("Admin", provider="old")
    with pytest.raises(InteractionRequired) as needed:
        choose(ADMIN, one, other)
    assert "saml_provider_arn" in needed.value.hint
    assert choose(ADMIN, one, other, provider_arn=other.provider_arn) == other
    assert choose(ADMIN, one, other, answers=["saml-provider/old"]) == other


def test_several_pairs_in_one_value_and_odd_paths() -> None:
    odd = role("team!(x),y/Dev"), role("Plain,er")
    pairs = [f"{one.role_arn},{one.provider_arn}" for one in (role("A"), role("B"))]
    backwards = f"{odd[0].provider_arn} , {odd[0].role_arn}"
    values = [",".join(pairs), f"{backwards};{odd[1].role_arn},{odd[1].provider_arn}"]
    assert read(response(*values), NOW).roles == tuple(sorted([role("A"), role("B"), *odd]))
    assert read(response(f"{pairs[0]},arn:aws:iam::x"), NOW).roles == (role("A"),)


def test_a_wrong_role_among_hundreds_is_a_short_message() -> None:
    held = [role(f"Role{number:03}") for number in range(300)]
    with pytest.raises(RoleRefused, match=r"and 292 more") as refused:
        choose(Request(profile="x", region="eu-west-1", account=PROD, role="Role1234"), *held)
    assert len(refused.value.message) < 1000


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [("AccessDenied", 403, "awslogin trust-policy"), ("InvalidIdentityToken", 400, "metadata")],
)
def test_a_refusal_of_sts_names_iams_provider(
    sandbox: Sandbox, code: str, status: int, said: str
) -> None:
    body = (
        "<ErrorResponse><Error><Type>Sender</Type>"
        f"<Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    )
    sandbox.fault("sts", status=status, body=body)
    with pytest.raises(AwsLoginError) as refused:
        Walk(sandbox, "form", sandbox.idp.url).arn(ADMIN)
    assert "saml-provider/" in refused.value.hint
    assert said in refused.value.hint
    for of_the_assertion in ("audience urn:amazon:webservices", "SAML:aud https://signin.aws"):
        assert of_the_assertion in refused.value.hint
    assert f"issuer {sandbox.idp.signer.issuer}" in refused.value.hint


@pytest.mark.parametrize("idp", ["google", "jumpcloud", "auth0", "authentik", "akamai", "netiq"])
def test_kinds_that_are_the_browsers_open_it_by_themselves(sandbox: Sandbox, idp: str) -> None:
    with pytest.raises(InteractionRequired, match="in a browser window"):
        Walk(sandbox, idp, sandbox.idp.url, headless=False).arn()
    assert sandbox.calls("idp") == []
