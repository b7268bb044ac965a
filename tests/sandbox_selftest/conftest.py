"""Real clients of the sandbox: boto3's, with the endpoints and keys that a test names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.sandbox import Sandbox
from tests.sandbox.world import Keys

PORTS = {"sts": "sts", "iam": "iam", "sso-oidc": "oidc", "sso": "portal"}

Refuses = Callable[..., AbstractContextManager[None]]
Client = Callable[..., Any]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that must not fail by itself."""
    with Sandbox() as running:
        yield running
        assert running.crashes() == []


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Client:
    """`client("sts", keys)`: a boto3 client, unsigned without keys, that tries once."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.delenv("AWS_PROFILE", raising=False)

    def make(service: str, keys: Any = None, region: str = "eu-west-1") -> Any:
        config = Config(
            retries={"total_max_attempts": 1},
            signature_version=None if keys else UNSIGNED,
            read_timeout=10,
            parameter_validation=False,  # the sandbox is the judge
        )
        session = boto3.Session(botocore_session=botocore.session.Session())
        return session.client(
            service,
            region_name=region,
            endpoint_url=sandbox.urls[PORTS[service]],
            config=config,
            **(_named(keys) if keys else {}),
        )

    return make


def _named(keys: Any) -> dict[str, str | None]:
    if isinstance(keys, Keys):
        return {
            "aws_access_key_id": keys.key_id,
            "aws_secret_access_key": keys.secret,
            "aws_session_token": keys.token,
        }
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys.get("SessionToken"),
    }


@contextmanager
def _refuses(code: str, says: str = "", status: int | None = None) -> Iterator[None]:
    with pytest.raises(ClientError) as caught:
        yield
    reply = caught.value.response
    assert reply["Error"]["Code"] == code
    assert re.search(says, reply["Error"].get("Message", "")), reply["Error"]
    assert status in {None, reply["ResponseMetadata"]["HTTPStatusCode"]}


@pytest.fixture
def refuses() -> Refuses:
    """`with refuses("AccessDenied", "says", 403):` the block ends in that error of AWS."""
    return _refuses
