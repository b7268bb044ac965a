"""A person's sign-in at real OpenID providers: Keycloak, in the browser and by a device code."""

from __future__ import annotations

import re
import threading

import pytest

from broker.provider import Request
from broker.testing import FakeClock, MemorySecrets, ScriptedUi, make_ports
from providers.oidc import OidcProvider
from tests.real.parts import keycloak_realm as realm
from tests.real.parts.keycloak import Keycloak
from tests.real.parts.visitor import Visitor
from tests.sandbox import DEV, Sandbox

ROLE = f"arn:aws:iam::{DEV}:role/Keycloak"
PASSWORD = "#kc-form-login"


class Person(ScriptedUi):
    """Ann at her browser: she enters her password, and grants what she is asked for."""

    def __init__(self, keycloak: Keycloak) -> None:
        super().__init__([], may_browse=True)
        self._keycloak = keycloak

    def browse(self, url: str) -> bool:
        if "redirect_uri" in url:
            threading.Thread(target=self._enter, args=(url,), daemon=True).start()
        return True

    def show(self, message: str) -> None:
        super().show(message)
        if "the code" in message:
            address = re.search(r"http\S+", message)
            assert address
            self._enter(address[0]).submit("form:has(#kc-login)", accept="Yes")

    def _enter(self, url: str) -> Visitor:
        visitor = Visitor(url)
        visitor.submit(PASSWORD, username="ann", password=self._keycloak.people["ann"].password)
        return visitor


@pytest.mark.parametrize("flow", ["pkce", "device"])
def test_ann_signs_in_once_and_is_refreshed(
    sandbox: Sandbox, keycloak: Keycloak, flow: str
) -> None:
    arn = f"arn:aws:iam::{DEV}:oidc-provider/keycloak"
    sandbox.register_oidc(arn, keycloak.entity_id, keycloak.jwks(), (realm.DEVICE_CLIENT,))
    sandbox.world.add_role(ROLE, arn)
    clock = FakeClock()
    secrets = MemorySecrets(clock)
    request = Request(profile="dev", region="eu-west-1", role_arn=ROLE, session_name="ann")

    def login(ui: ScriptedUi) -> str | None:
        options = OidcProvider.Options.model_validate(
            {"issuer": keycloak.entity_id, "client_id": realm.DEVICE_CLIENT, "flow": flow}
        )
        ports = make_ports(sandbox.env(), ui=ui, clock=clock, secrets=secrets)
        return OidcProvider("keycloak", options, ports).login(request).arn

    assert (login(Person(keycloak)) or "").endswith("assumed-role/Keycloak/ann")
    first = secrets.recall("tokens")
    clock.advance(280)  # Keycloak's ID tokens last five minutes
    assert login(ScriptedUi())
    second = secrets.recall("tokens")
    assert first
    assert second
    assert first["idToken"] != second["idToken"]
