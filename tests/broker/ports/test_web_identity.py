"""AssumeRoleWithWebIdentity: what passes by itself is waited for, and no longer than that."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from broker.errors import LoginRefused, NetworkError
from broker.ports.aws import Aws
from broker.ports.web_identity import PAUSES, credentials_for
from broker.provider import Request
from broker.secret import Secret
from broker.testing import FakeClock, make_ports

ROLE = Request(profile="ci", region="eu-west-1", role_arn="arn:aws:iam::111122223333:role/R")
KEYS = {"AccessKeyId": "A", "SecretAccessKey": "s", "SessionToken": "t"}
KEYS_GONE = "Couldn't retrieve verification key from your identity provider"


class Sts(Aws):
    """Refuses a few times with one sentence, then gives credentials."""

    def __init__(self, refusals: int, sentence: str) -> None:
        super().__init__({})
        self.asked, self._refusals, self._sentence = 0, refusals, sentence

    def client(self, *_: Any, **__: Any) -> Any:
        return self

    def assume_role_with_web_identity(self, **_: Any) -> Any:
        self.asked += 1
        if self.asked <= self._refusals:
            said = {"Code": "InvalidIdentityToken", "Message": self._sentence}
            raise ClientError({"Error": said}, "AssumeRoleWithWebIdentity")
        return {"Credentials": {**KEYS, "Expiration": datetime.now(UTC)}}


def exchanged(sts: Sts, clock: FakeClock) -> str:
    ports = replace(make_ports({}, clock=clock), aws=sts)
    return credentials_for(ports, ROLE, Secret("e30.e30.c2ln")).access_key_id


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
