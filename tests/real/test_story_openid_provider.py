"""A person's sign-in at an independent OpenID provider, npm's `oidc-provider`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from broker.errors import ConfigError, InteractionRequired, LoginRefused, UnexpectedReply
from broker.provider import Request
from broker.testing import FakeClock, MemorySecrets, ScriptedUi, make_ports
from providers.oidc import OidcProvider
from tests.real.parts.openid_provider import OpenIdProvider
from tests.sandbox import DEV, Sandbox

ROLE = f"arn:aws:iam::{DEV}:role/Independent"
REQUEST = Request(profile="dev", region="eu-west-1", role_arn=ROLE, session_name="ann")
FLOWS = ("pkce", "device")
Make = Callable[..., OidcProvider]


class Person(ScriptedUi):
    """Signs in and agrees, in the browser or with the code that is shown."""

    def __init__(self, provider: OpenIdProvider, name: str = "ann") -> None:
        super().__init__([], may_browse=True)
        self._issuer = provider
        self._name = name

    def browse(self, url: str) -> bool:
        if "redirect_uri" in url:
            threading.Thread(
                target=self._issuer.sign_in, args=(url, self._name), daemon=True
            ).start()
        return True

    def show(self, message: str) -> None:
        super().show(message)
        if "the code" in message:
            address = re.search(r"http\S+", message)
            assert address
            self._issuer.sign_in(address[0], self._name)


@pytest.fixture
def make(sandbox: Sandbox, openid_provider: OpenIdProvider) -> Make:
    arn = f"arn:aws:iam::{DEV}:oidc-provider/independent"
    sandbox.register_oidc(arn, openid_provider.issuer, openid_provider.jwks(), ("RS256",))
    sandbox.world.add_role(ROLE, arn)
    clock = FakeClock()
    secrets = MemorySecrets(clock)

    def made(ui: ScriptedUi | None = None, **options: Any) -> OidcProvider:
        given = {"issuer": openid_provider.issuer, "client_id": "RS256", **options}
        ports = make_ports(
            sandbox.env(), ui=ui or Person(openid_provider), clock=clock, secrets=secrets
        )
        return OidcProvider("people", OidcProvider.Options.model_validate(given), ports)

    return made


@pytest.mark.parametrize("flow", FLOWS)
def test_a_role_and_silent_refreshes(make: Make, flow: str) -> None:
    """Refresh tokens rotate there, and one that is used twice ends them all."""
    scopes = ("openid", "offline_access")
    first = make(flow=flow, scopes=scopes)
    assert (first.login(REQUEST).arn or "").endswith("assumed-role/Independent/ann")
    seen = set()
    for _ in range(2):
        first.ports.clock.sleep(280)  # its ID tokens last five minutes
        make(ScriptedUi(), flow=flow, scopes=scopes).login(REQUEST)
        kept = first.ports.secrets.recall("tokens")
        assert kept
        seen.add(kept["refreshToken"])
    assert len(seen) == 2


@pytest.mark.parametrize("flow", FLOWS)
def test_without_offline_access_the_sign_in_ends_with_its_token(make: Make, flow: str) -> None:
    first = make(flow=flow)
    first.login(REQUEST)
    first.ports.clock.sleep(280)
    with pytest.raises(InteractionRequired):
        make(ScriptedUi(), flow=flow).login(REQUEST)


@pytest.mark.parametrize("signed_by", ["RS256", "PS256", "ES256"])
def test_each_kind_of_signature(make: Make, signed_by: str) -> None:
    (account,) = make(client_id=signed_by, roles_claim="aws_roles", flow="device").discover()
    assert account.roles == ("Independent",)


def test_a_token_of_another_client_is_not_for_this_role(make: Make) -> None:
    with pytest.raises(LoginRefused, match="audience"):
        make(client_id="browser-alone", flow="pkce").login(REQUEST)


def test_another_name_of_the_issuer(make: Make, openid_provider: OpenIdProvider) -> None:
    for name in (
        openid_provider.issuer.replace("127.0.0.1", "localhost"),
        f"{openid_provider.issuer}/",
    ):
        with pytest.raises(ConfigError, match="another issuer"):
            make(issuer=name, flow="device").login(REQUEST)


def test_a_client_that_may_not(make: Make) -> None:
    with pytest.raises(ConfigError, match="nobody"):
        make(client_id="nobody", flow="device").login(REQUEST)
    with pytest.raises(UnexpectedReply, match="not allowed"):
        make(client_id="browser-alone", flow="device").login(REQUEST)


def test_a_code_of_another_challenge(make: Make, openid_provider: OpenIdProvider) -> None:
    """Whoever changes what the browser is sent with gets no token."""

    class Meddler(Person):
        def browse(self, url: str) -> bool:
            return super().browse(re.sub("code_challenge=.", "code_challenge=A", url))

    with pytest.raises(LoginRefused, match="invalid_grant"):
        make(Meddler(openid_provider), flow="pkce").login(REQUEST)
    with pytest.raises(InteractionRequired):
        make(ScriptedUi(), flow="pkce").login(REQUEST)


def test_a_nonce_of_another_sign_in(make: Make, openid_provider: OpenIdProvider) -> None:
    class Meddler(Person):
        def browse(self, url: str) -> bool:
            return super().browse(re.sub("nonce=[^&]+", "nonce=another", url))

    with pytest.raises(UnexpectedReply, match="nonce"):
        make(Meddler(openid_provider), flow="pkce").login(REQUEST)
    with pytest.raises(InteractionRequired):
        make(ScriptedUi(), flow="pkce").login(REQUEST)


def test_a_forged_state_is_no_return(make: Make, openid_provider: OpenIdProvider) -> None:
    class Meddler(Person):
        def browse(self, url: str) -> bool:
            return super().browse(re.sub("state=[^&]+", "state=forged", url))

    person = Meddler(openid_provider)
    person.person_seconds = 2.0  # it waits on for the true one
    with pytest.raises(LoginRefused, match="nobody finished"):
        make(person, flow="pkce").login(REQUEST)
    with pytest.raises(InteractionRequired):
        make(ScriptedUi(), flow="pkce").login(REQUEST)


def test_another_person_is_another_sign_in(make: Make, openid_provider: OpenIdProvider) -> None:
    scopes = ("openid", "offline_access")
    first = make(flow="device", scopes=scopes)
    first.login(REQUEST)
    first.logout()
    first.ports.secrets.forget("tokens")
    again = make(Person(openid_provider, "ben"), flow="device", scopes=scopes)
    again.login(REQUEST)
    kept = again.ports.secrets.recall("tokens")
    assert kept
    assert kept["subject"] == "ben"
