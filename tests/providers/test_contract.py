"""Every provider passes the shipped contract suite, against the sandbox."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from broker import registry
from broker.provider import Provider, Request
from broker.testing import MemoryKeychain, MemorySecrets, ProviderContract, ScriptedUi, make_ports
from tests.sandbox import DEV, PROD, Sandbox, entra, okta, onelogin


def make(type_: str, options: dict[str, Any], **ports: Any) -> Provider[Any]:
    plugin = registry.load(type_)
    return plugin("under-test", plugin.Options.model_validate(options), make_ports(**ports))


class Approving(ScriptedUi):
    """A person who confirms the device code as soon as it is shown."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__([])
        self._sandbox = sandbox

    def show(self, message: str) -> None:
        super().show(message)
        self._sandbox.approve(message.rpartition(" ")[2])


NOBODY = "http://127.0.0.1:9"
NOWHERE = {"AWS_ENDPOINT_URL": NOBODY}


class TestStatic(ProviderContract):
    type = "static"

    @pytest.fixture
    def provider(self, sandbox: Sandbox) -> Provider[Any]:
        keychain = MemoryKeychain({"team/provider/keys/dev": sandbox.bob.json})
        ui = ScriptedUi()
        provider = make("static", {}, environ=sandbox.env(), ui=ui)
        provider.ports = make_ports(
            sandbox.env(), ui=ui, secrets=MemorySecrets(provider.ports.clock, keychain)
        )
        return provider

    @pytest.fixture
    def request_(self) -> Request:
        return Request(profile="dev", keys_profile="dev", region="eu-west-1")

    @pytest.fixture
    def stranded(self) -> Provider[Any]:
        return make("static", {}, environ=NOWHERE)


class TestIdentityCenter(ProviderContract):
    type = "identity-center"
    good_options: ClassVar[dict[str, Any]] = {
        "start_url": "https://corp.awsapps.com/start#/",
        "region": "eu-west-1",
    }

    @pytest.fixture
    def options(self, sandbox: Sandbox) -> dict[str, Any]:
        return {"start_url": sandbox.start_url, "region": "eu-west-1", "flow": "device"}

    @pytest.fixture
    def provider(self, sandbox: Sandbox, options: dict[str, Any]) -> Provider[Any]:
        return make(self.type, options, environ=sandbox.env(), ui=Approving(sandbox))

    @pytest.fixture
    def request_(self) -> Request:
        return Request(profile="stage", region="eu-west-1", account=DEV, role="Developer")

    @pytest.fixture
    def stranded(self, options: dict[str, Any]) -> Provider[Any]:
        return make(self.type, options, environ=NOWHERE)


class TestSaml(ProviderContract):
    type = "saml"
    good_options: ClassVar[dict[str, Any]] = {"idp": "form", "url": "https://sso.corp.example/aws"}

    @pytest.fixture
    def provider(self, sandbox: Sandbox) -> Provider[Any]:
        password = sandbox.world.people["ann"].password
        ui = ScriptedUi(environ={"AWSLOGIN_PASSWORD": password})
        options = {"idp": "form", "url": sandbox.idp.url, "username": "ann"}
        return make(self.type, options, environ=sandbox.env(), ui=ui)

    @pytest.fixture
    def request_(self) -> Request:
        return Request(profile="prod", region="eu-west-1", account=PROD, role="Admin")

    @pytest.fixture
    def stranded(self) -> Provider[Any]:
        return make(self.type, {"idp": "form", "url": "http://127.0.0.1:9/"}, environ=NOWHERE)


class TestOkta(TestSaml):
    good_options: ClassVar[dict[str, Any]] = {
        "idp": "okta",
        "url": "https://corp.okta.com/home/amazon_aws/0oa1/272",
    }

    @pytest.fixture
    def provider(self, sandbox: Sandbox) -> Provider[Any]:
        return self.made(sandbox, url=sandbox.okta.url + okta.APP)

    @pytest.fixture
    def stranded(self) -> Provider[Any]:
        return make(self.type, {**self.good_options, "url": NOBODY}, environ=NOWHERE)

    def made(self, sandbox: Sandbox, **options: Any) -> Provider[Any]:
        given = {
            "AWSLOGIN_PASSWORD": sandbox.world.people["ann"].password,
            "AWSLOGIN_CLIENT_SECRET": onelogin.CLIENT_SECRET,
        }
        ui = ScriptedUi(environ=given)
        options = {**self.good_options, "username": "ann", **options}
        return make(self.type, options, environ=sandbox.env(), ui=ui)


class TestEntra(TestOkta):
    good_options: ClassVar[dict[str, Any]] = {
        "idp": "entra",
        "tenant": entra.TENANT,
        "app_id": entra.APP_ID,
    }

    @pytest.fixture
    def provider(self, sandbox: Sandbox) -> Provider[Any]:
        return self.made(sandbox, url=sandbox.entra.url)


class TestOneLogin(TestOkta):
    good_options: ClassVar[dict[str, Any]] = {
        "idp": "onelogin",
        "url": "https://api.us.onelogin.com",
        "app_id": onelogin.APP_ID,
        "subdomain": onelogin.SUBDOMAIN,
        "client_id": onelogin.CLIENT_ID,
    }

    @pytest.fixture
    def provider(self, sandbox: Sandbox) -> Provider[Any]:
        return self.made(sandbox, url=sandbox.onelogin.url)


class TestWebIdentity(ProviderContract):
    type = "web-identity"
    good_options: ClassVar[dict[str, Any]] = {"token": {"env": "AWS_OIDC_TOKEN"}}

    @pytest.fixture
    def provider(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Provider[Any]:
        monkeypatch.setenv("AWS_OIDC_TOKEN", sandbox.issuer.token())
        return make(self.type, dict(self.good_options), environ=sandbox.env())

    @pytest.fixture
    def request_(self) -> Request:
        arn = f"arn:aws:iam::{DEV}:role/CiDeploy"
        return Request(profile="ci", region="eu-west-1", role_arn=arn, session_name="job")

    @pytest.fixture
    def stranded(self, monkeypatch: pytest.MonkeyPatch) -> Provider[Any]:
        monkeypatch.delenv("AWS_OIDC_TOKEN", raising=False)
        return make(self.type, dict(self.good_options), environ=NOWHERE)
