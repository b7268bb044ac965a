"""NetIQ Access Manager's pages, by the strict twin."""

from __future__ import annotations

from typing import Any

import pytest

from broker.errors import UnexpectedReply
from tests.providers.saml.walks import Walk, refusal
from tests.sandbox import PROD, Sandbox
from tests.sandbox.twin import Habits

ANN = f"arn:aws:sts::{PROD}:assumed-role/Admin/ann"
OTTO = f"arn:aws:sts::{PROD}:assumed-role/Admin/otto"


def walk(sandbox: Sandbox, user: str = "ann", *, idp: str = "netiq", **more: Any) -> Walk:
    return Walk(sandbox, idp, sandbox.netiq.url, user, **more)


@pytest.mark.parametrize("idp", ["netiq", "auto"])
def test_password_alone(sandbox: Sandbox, idp: str) -> None:
    assert walk(sandbox, idp=idp).arn() == ANN
    assert (sandbox.netiq.seen.passwords, sandbox.netiq.seen.strays) == (1, [])


def test_a_wrong_password_is_posted_once(sandbox: Sandbox) -> None:
    assert "Login failed" in refusal(walk(sandbox, password="not this one")).message
    assert sandbox.netiq.seen.passwords == 1


def test_a_tokens_code(sandbox: Sandbox) -> None:
    sandbox.netiq.habits["otto"] = Habits("rsa")
    assert walk(sandbox, "otto", seed=True).arn() == OTTO
    assert "Échec" in refusal(walk(sandbox, "otto", code="000000")).message
    assert sandbox.netiq.seen.codes == 2


def test_a_page_that_loads_itself_for_ever(sandbox: Sandbox) -> None:
    page = "<script>getToContent('/nidp/saml2/idpsend?again=1', 'x');</script>"
    sandbox.fault("netiq", status=200, body=page, headers={"Content-Type": "text/html"})
    assert "without end" in refusal(walk(sandbox), UnexpectedReply).message
