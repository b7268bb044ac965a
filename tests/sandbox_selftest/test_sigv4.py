"""Signatures: recomputed from the stored secret."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import requests

from tests.sandbox import Sandbox
from tests.sandbox_selftest.conftest import Client, Refuses
from tests.support import PATIENCE


def test_a_good_signature(sandbox: Sandbox, client: Client) -> None:
    reply = client("sts", sandbox.ann).get_caller_identity()
    assert reply["Arn"] == "arn:aws:iam::111122223333:user/ann"
    assert reply["Account"] == "111122223333"
    assert reply["UserId"].startswith("AIDA")


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_any_region_may_sign(sandbox: Sandbox, client: Client, region: str) -> None:
    assert client("sts", sandbox.ann, region).get_caller_identity()["Account"]


def test_a_wrong_secret(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    with refuses("SignatureDoesNotMatch", "does not match", 403):
        client("sts", replace(sandbox.ann, secret="wrong")).get_caller_identity()


def test_an_unknown_key(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    with refuses("InvalidClientTokenId", "", 403):
        client("sts", replace(sandbox.ann, key_id="AKIAUNKNOWN")).get_caller_identity()


def test_an_inactive_key(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    sandbox.ann.active = False
    with refuses("InvalidClientTokenId"):
        client("sts", sandbox.ann).get_caller_identity()


def test_no_signature(client: Client, refuses: Refuses) -> None:
    with refuses("MissingAuthenticationToken", "", 403):
        client("sts").get_caller_identity()


def test_half_a_signature(sandbox: Sandbox) -> None:
    reply = requests.post(
        sandbox.urls["sts"],
        data={"Action": "GetCallerIdentity", "Version": "2011-06-15"},
        headers={"Authorization": "AWS4-HMAC-SHA256 Credential=x"},
        timeout=PATIENCE,
    )
    assert reply.status_code == 400
    assert "<Code>IncompleteSignature</Code>" in reply.text


def test_a_body_changed_on_the_way(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    sts = client("sts", sandbox.ann)

    def change(request: Any, **_: Any) -> None:
        request.body = request.body.replace("900", "999")

    sts.meta.events.register("before-send.sts.*", change)
    with refuses("SignatureDoesNotMatch"):
        sts.get_session_token(DurationSeconds=900)


def test_a_header_left_unsigned(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    sts = client("sts", sandbox.ann)

    def change(request: Any, **_: Any) -> None:
        header = request.headers["Authorization"]
        text = header.decode() if isinstance(header, bytes) else header
        request.headers["Authorization"] = text.replace("host;", "")

    sts.meta.events.register("before-send.sts.*", change)
    with refuses("SignatureDoesNotMatch", "'host' must be"):
        sts.get_caller_identity()


@pytest.mark.parametrize(("skew", "says"), [(360, "Signature expired"), (-360, "not yet current")])
def test_a_clock_that_is_off(
    sandbox: Sandbox, client: Client, refuses: Refuses, skew: int, says: str
) -> None:
    sandbox.ann.usable_from = 0
    sandbox.world.advance(skew - 120 * (1 if skew > 0 else -1))
    assert client("sts", sandbox.ann).get_caller_identity()
    sandbox.world.advance(120 * (1 if skew > 0 else -1))
    with refuses("SignatureDoesNotMatch", says, 403):
        client("sts", sandbox.ann).get_caller_identity()


def test_a_signature_for_another_service(
    sandbox: Sandbox, client: Client, refuses: Refuses
) -> None:
    iam = client("iam", sandbox.ann)
    iam.meta.events.register(
        "before-sign.iam.*", lambda request, **_: request.context.update(signing={})
    )
    iam._request_signer._signing_name = "sts"
    with refuses("SignatureDoesNotMatch", "scoped to correct service"):
        iam.get_user()


def test_a_session_token_belongs_to_its_key(
    sandbox: Sandbox, client: Client, refuses: Refuses
) -> None:
    session = sandbox.world.issue(sandbox.ann.arn, 900, kind="session")
    other = sandbox.world.issue(sandbox.ann.arn, 900, kind="session")
    assert client("sts", session).get_caller_identity()
    for token in (other.token, None):
        with refuses("InvalidClientTokenId"):
            client("sts", replace(session, token=token)).get_caller_identity()


def test_an_expired_session_token(sandbox: Sandbox, client: Client, refuses: Refuses) -> None:
    session = sandbox.world.issue(sandbox.ann.arn, 1, kind="session")
    sandbox.world.advance(2)
    with refuses("ExpiredToken", "expired", 403):
        client("sts", session).get_caller_identity()
