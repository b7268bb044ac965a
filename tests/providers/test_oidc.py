"""A person's sign-in at an OpenID provider: both flows, the ID token's check, the refresh."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from pydantic import ValidationError

from broker.errors import (
    AwsLoginError,
    ConfigError,
    InteractionRequired,
    LoginRefused,
    NetworkError,
    UnexpectedReply,
    UsageError,
)
from broker.provider import Provider, Request
from broker.testing import FakeClock, MemorySecrets, ProviderContract, ScriptedUi, make_ports
from providers.oidc import OidcProvider
from providers.oidc.issuer import Issuer
from tests.sandbox import DEV, PROD, Sandbox
from tests.sandbox.openid import CLIENT

ROLE = f"arn:aws:iam::{DEV}:role/People"
DISCOVERY = "/.well-known/openid-configuration"
REQUEST = Request(profile="dev", region="eu-west-1", role_arn=ROLE, session_name="ann")


class Visitor(ScriptedUi):
    """A person who signs in in the browser, or confirms the code that is shown."""

    def __init__(self, sandbox: Sandbox, *, confirms: str | None = "ann") -> None:
        super().__init__([], may_browse=True)
        self._sandbox = sandbox
        self._confirms = confirms

    def browse(self, url: str) -> bool:
        if "/authorize" in url:
            threading.Thread(target=requests.get, args=(url,), daemon=True).start()
        return True

    def show(self, message: str) -> None:
        super().show(message)
        code = re.search(r"the code (\S+)", message)
        if code:
            self._sandbox.openid.confirm(code[1], self._confirms)


Make = Callable[..., OidcProvider]


@pytest.fixture
def make(sandbox: Sandbox) -> Make:
    clock = FakeClock()
    secrets = MemorySecrets(clock)

    def made(ui: ScriptedUi | None = None, **options: Any) -> OidcProvider:
        given = {"issuer": sandbox.openid.url, "client_id": CLIENT, "flow": "pkce", **options}
        ports = make_ports(sandbox.env(), ui=ui or Visitor(sandbox), clock=clock, secrets=secrets)
        return OidcProvider("people", OidcProvider.Options.model_validate(given), ports)

    return made


def grants(sandbox: Sandbox) -> list[str]:
    found = [asked.form["grant_type"] for asked in sandbox.calls("openid", "/token")]
    return [grant.rpartition(":")[2] for grant in found]


class TestOidc(ProviderContract):
    type = "oidc"
    good_options: ClassVar[dict[str, Any]] = {
        "issuer": "https://login.corp.example/realms/people",
        "client_id": "awslogin",
    }

    @pytest.fixture
    def provider(self, make: Make) -> Provider[Any]:
        return make()

    @pytest.fixture
    def request_(self) -> Request:
        return REQUEST

    @pytest.fixture
    def stranded(self, make: Make) -> Provider[Any]:
        return make(ScriptedUi())


@pytest.mark.parametrize("flow", ["pkce", "device"])
def test_one_sign_in_serves_until_its_token_ends(make: Make, sandbox: Sandbox, flow: str) -> None:
    assert (make(flow=flow).login(REQUEST).arn or "").endswith("assumed-role/People/ann")
    nobody = make(ScriptedUi(), flow=flow)
    nobody.login(REQUEST)
    assert len(grants(sandbox)) == 1


def test_a_refresh_token_serves_without_a_person(make: Make, sandbox: Sandbox) -> None:
    scopes = ("openid", "offline_access")
    first = make(scopes=scopes)
    first.login(REQUEST)
    for _ in range(3):
        first.ports.clock.sleep(280)
        make(ScriptedUi(), scopes=scopes).login(REQUEST)
    assert grants(sandbox) == ["authorization_code", *["refresh_token"] * 3]


@pytest.mark.parametrize("how", ["refused", "without an ID token"])
def test_a_sign_in_that_cannot_be_refreshed_needs_a_person(
    make: Make, sandbox: Sandbox, how: str
) -> None:
    scopes = ("openid", "offline_access")
    first = make(scopes=scopes)
    first.login(REQUEST)
    first.ports.clock.sleep(280)
    sandbox.openid.refreshes_id_token = False
    if how == "refused":
        sandbox.openid.refresh.clear()
    with pytest.raises(InteractionRequired):
        make(ScriptedUi(), scopes=scopes).login(REQUEST)
    assert make(scopes=scopes).login(REQUEST).access_key_id


def test_a_swapped_person_is_refused_at_refresh(make: Make, sandbox: Sandbox) -> None:
    scopes = ("openid", "offline_access")
    first = make(scopes=scopes)
    first.login(REQUEST)
    first.ports.clock.sleep(280)
    sandbox.openid.claims = {"sub": "mallory"}
    with pytest.raises(UnexpectedReply, match="another person"):
        make(ScriptedUi(), scopes=scopes).login(REQUEST)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"aud": [CLIENT, "x"], "azp": "x"},
        {"azp": "another-client"},
        {"iss": "https://another.example"},
        {"exp": 1_000_000_000},
        {"exp": "soon"},
        {"iat": 9_999_999_999},
        {"sub": ""},
        {"sub": 7},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS512"},
        {"key": generate_private_key(65537, 2048)},
    ],
    ids="-".join,
)
def test_an_id_token_that_does_not_hold(
    make: Make, sandbox: Sandbox, claims: dict[str, Any]
) -> None:
    sandbox.openid.claims = claims
    with pytest.raises(UnexpectedReply, match="does not hold"):
        make().login(REQUEST)
    assert not sandbox.calls("sts")
    with pytest.raises(InteractionRequired):
        make(ScriptedUi()).login(REQUEST)


def test_a_return_from_another_issuer(make: Make, sandbox: Sandbox) -> None:
    sandbox.openid.iss = "https://mallory.example"
    with pytest.raises(UnexpectedReply, match="another issuer"):
        make().login(REQUEST)
    assert not grants(sandbox)
    sandbox.openid.iss = sandbox.openid.url
    make().login(REQUEST)


def test_denied(make: Make, sandbox: Sandbox) -> None:
    sandbox.openid.person = ""
    with pytest.raises(LoginRefused, match="denied"):
        make().login(REQUEST)
    with pytest.raises(LoginRefused, match="denied"):
        make(Visitor(sandbox, confirms=None), flow="device").login(REQUEST)


def test_nobody_confirms(make: Make, sandbox: Sandbox) -> None:
    person = ScriptedUi([])
    with pytest.raises(LoginRefused, match="nobody confirmed"):
        make(person, flow="device").login(REQUEST)
    slept = person.shown and grants(sandbox)
    assert len(slept) >= 10


def test_endless_failure_while_polling_ends(make: Make, sandbox: Sandbox) -> None:
    sandbox.fault("openid", status=429, action="/token")
    with pytest.raises(NetworkError):
        make(ScriptedUi([]), flow="device").login(REQUEST)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"issuer": "https://mallory.example"}, ConfigError),
        ({"token_endpoint": None}, ConfigError),
        ({"token_endpoint": 7}, ConfigError),
        ({"token_endpoint": "http://mallory.example/token"}, UnexpectedReply),
        ({"device_authorization_endpoint": None}, ConfigError),
        ({"jwks_uri": None}, ConfigError),
    ],
)
def test_a_wrong_discovery_document(
    make: Make, sandbox: Sandbox, changed: dict[str, Any], error: type[AwsLoginError]
) -> None:
    url = sandbox.openid.url
    document = {
        "issuer": url,
        "token_endpoint": f"{url}/token",
        "jwks_uri": f"{url}/jwks",
        "device_authorization_endpoint": f"{url}/device",
        **changed,
    }
    sandbox.fault("openid", body=json.dumps(document), action=DISCOVERY)
    with pytest.raises(error):
        make(flow="device").login(REQUEST)


@pytest.mark.parametrize("body", ["", "[]", "<html>", '{"keys": 7}', '{"keys": [{}]}'])
def test_keys_that_are_none(make: Make, sandbox: Sandbox, body: str) -> None:
    sandbox.fault("openid", status=200, body=body or " ", action="/jwks")
    with pytest.raises(UnexpectedReply):
        make().login(REQUEST)


def test_discover_reads_the_claim(make: Make, sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="roles"):
        make().discover()
    sandbox.openid.claims = {
        "aws_roles": [
            f"arn:aws:iam::{DEV}:role/team/Dev",
            f"arn:aws:iam::{PROD}:role/Admin,arn:aws:iam::{PROD}:oidc-provider/people",
            "nonsense",
            7,
        ]
    }
    found = make(roles_claim="aws_roles").discover()
    assert [(one.account_id, one.roles) for one in found] == [
        (DEV, ("team/Dev",)),
        (PROD, ("Admin",)),
    ]


@pytest.mark.parametrize(
    "issuer", ["http://login.corp.example", "ftp://x", "https://x/?a=b", "https://x/#f", "x", ""]
)
def test_what_is_no_issuer(issuer: str) -> None:
    with pytest.raises(ValidationError):
        OidcProvider.Options.model_validate({"issuer": issuer, "client_id": "c"})


def test_a_refusal_of_sts_says_what_the_token_says(make: Make, sandbox: Sandbox) -> None:
    other = Request(
        profile="x",
        region="eu-west-1",
        role_arn=f"arn:aws:iam::{DEV}:role/CiDeploy",
        session_name="ann",
    )
    with pytest.raises(AwsLoginError) as failed:
        make().login(other)
    assert failed.value.exit_code == 8
    assert sandbox.openid.url in failed.value.hint


def test_keys_that_have_changed(make: Make, sandbox: Sandbox) -> None:
    """The issuer's keys are read at each check; one that it has withdrawn counts no more."""
    scopes = ("openid", "offline_access")
    first = make(scopes=scopes)
    first.login(REQUEST)
    old = sandbox.openid._key
    sandbox.openid._key = generate_private_key(65537, 2048)
    arn = f"arn:aws:iam::{DEV}:oidc-provider/people"
    sandbox.register_oidc(arn, sandbox.openid.url, sandbox.openid.jwks, (CLIENT,))
    first.ports.clock.sleep(280)
    make(ScriptedUi(), scopes=scopes).login(REQUEST)
    sandbox.openid.claims = {"key": old}
    first.ports.clock.sleep(280)
    with pytest.raises(UnexpectedReply, match="does not hold"):
        make(ScriptedUi(), scopes=scopes).login(REQUEST)


def test_two_keys_of_one_name_are_none(make: Make, sandbox: Sandbox) -> None:
    twice = {"keys": sandbox.openid.jwks["keys"] * 2}
    sandbox.fault("openid", body=json.dumps(twice), action="/jwks")
    with pytest.raises(UnexpectedReply, match="does not hold"):
        make().login(REQUEST)


@pytest.mark.parametrize("names_itself", [True, False])
def test_an_issuer_that_always_names_itself_must(
    make: Make, sandbox: Sandbox, *, names_itself: bool
) -> None:
    """Else a return could be another issuer's (RFC 9207, section 2.4)."""
    document = requests.get(f"{sandbox.openid.url}{DISCOVERY}", timeout=10).json()
    document["authorization_response_iss_parameter_supported"] = names_itself
    sandbox.fault("openid", body=json.dumps(document), action=DISCOVERY)
    if names_itself:
        with pytest.raises(UnexpectedReply, match="another issuer"):
            make().login(REQUEST)
        assert not grants(sandbox)
    else:
        make().login(REQUEST)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "file:///etc/passwd", "http://mallory.example/a"]
)
def test_no_browser_is_sent_just_anywhere(make: Make, sandbox: Sandbox, address: str) -> None:
    document = requests.get(f"{sandbox.openid.url}{DISCOVERY}", timeout=10).json()
    document["authorization_endpoint"] = address
    sandbox.fault("openid", body=json.dumps(document), action=DISCOVERY)
    with pytest.raises(UnexpectedReply):
        make().login(REQUEST)


def test_offline_access_asks_for_consent(make: Make, sandbox: Sandbox) -> None:
    """An issuer ignores that scope without it (OpenID Connect Core, section 11)."""
    make(scopes=("openid", "offline_access")).login(REQUEST)
    (asked,) = sandbox.calls("openid", "/authorize")
    assert asked.query["prompt"] == "consent"
    ports = make_ports({})
    for issuer, is_microsofts in (
        ("https://login.microsoftonline.com/corp/v2.0", True),
        ("https://login.microsoftonline.com.corp.example/v2.0", False),
    ):
        assert Issuer(ports, issuer, "c", ("openid",), 0)._is_microsofts == is_microsofts
