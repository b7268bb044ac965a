"""AssumeRoleWithWebIdentity: what passes by itself is waited for, and no longer than that."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from broker.errors import AwsLoginError, LoginRefused, NetworkError
from broker.ports.aws import Aws
from broker.ports.web_identity import PAUSES, credentials_for, trust_statement
from broker.provider import Request
from broker.secret import Secret
from broker.testing import FakeClock, make_ports

ROLE = Request(profile="ci", region="eu-west-1", role_arn="arn:aws:iam::111122223333:role/R")
KEYS = {"AccessKeyId": "A", "SecretAccessKey": "s", "SessionToken": "t"}
KEYS_GONE = "Couldn't retrieve verification key from your identity provider"


class Sts(Aws):
    """Refuses a few times with one sentence, then gives credentials."""

    def __init__(self, refusals: int, sentence: str, code: str = "InvalidIdentityToken") -> None:
        super().__init__({})
        self.asked, self._refusals, self._sentence = 0, refusals, sentence
        self._code = code

    def client(self, *_: Any, **__: Any) -> Any:
        return self

    def assume_role_with_web_identity(self, **_: Any) -> Any:
        self.asked += 1
        if self.asked <= self._refusals:
            said = {"Code": self._code, "Message": self._sentence}
            raise ClientError({"Error": said}, "AssumeRoleWithWebIdentity")
        return {"Credentials": {**KEYS, "Expiration": datetime.now(UTC)}}


def exchanged(sts: Sts, clock: FakeClock, token: str = "e30.e30.c2ln") -> str:
    ports = replace(make_ports({}, clock=clock), aws=sts)
    return credentials_for(ports, ROLE, Secret(token)).access_key_id


def hint(code: str, **claims: object) -> str:
    """What is said beside a refusal of a token that says this."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    with pytest.raises(AwsLoginError) as refused:
        exchanged(Sts(1, "Not authorized", code), FakeClock(), f"e30.{body}.c2ln")
    return refused.value.hint


def test_aws_that_cannot_fetch_the_issuers_keys_is_asked_again() -> None:
    clock = FakeClock()
    start = clock.now()
    assert exchanged(Sts(len(PAUSES), KEYS_GONE), clock) == "A"
    assert (clock.now() - start).total_seconds() == sum(PAUSES)


def test_but_not_without_end() -> None:
    sts = Sts(99, KEYS_GONE)
    with pytest.raises(NetworkError, match="verification key"):
        exchanged(sts, FakeClock())
    assert sts.asked == len(PAUSES) + 1


def test_what_is_refused_is_refused() -> None:
    sts = Sts(99, "Incorrect token audience")
    with pytest.raises(LoginRefused):
        exchanged(sts, FakeClock())
    assert sts.asked == 1


def test_a_token_that_names_no_issuer() -> None:
    assert "does not say who issued it (`iss`)" in hint("InvalidIdentityToken", sub="x")
    with pytest.raises(LoginRefused) as refused:
        exchanged(Sts(1, "no", "InvalidIdentityToken"), FakeClock(), "no token at all")
    assert "`iss`" in refused.value.hint


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("repo:acme@1/app@22:ref:refs/heads/main", "the old one, repo:acme/app:…, refuses it"),
        ("repo:acme/app:environment:prod", "the new one, repo:acme@…/app@…:…, refuses it"),
        ("repo:acme-x/app.y:pull_request", "the new one, repo:acme-x@…/app.y@…:…, refuses it"),
    ],
)
def test_githubs_two_forms(subject: str, said: str) -> None:
    told = hint("AccessDenied", iss="https://token.example", aud="sts", sub=subject)
    assert said in told
    assert f"aud sts and sub {subject}" in told
    assert told.endswith("`awslogin trust-policy ci` writes it")


@pytest.mark.parametrize("subject", ["project_path:a/b:ref_type:branch", "repo:", "repo:a", None])
def test_subjects_of_others(subject: str | None) -> None:
    assert "GitHub" not in hint("AccessDenied", iss="https://lab.example", sub=subject)


def test_a_final_slash_of_an_issuer_is_part_of_its_name() -> None:
    """As at Auth0: IAM's provider and the keys of conditions keep it, or nothing matches."""
    statement = trust_statement(ROLE, "https://acme.eu.auth0.com/", "c", ["s"])
    provider = "arn:aws:iam::111122223333:oidc-provider/acme.eu.auth0.com/"
    assert statement["Principal"] == {"Federated": provider}
    assert statement["Condition"] == {
        "StringEquals": {"acme.eu.auth0.com/:aud": "c"},
        "StringLike": {"acme.eu.auth0.com/:sub": "s"},
    }
