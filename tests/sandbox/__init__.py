"""Strict loopback AWS and identity providers, in one process.

    with Sandbox() as sandbox:
        sandbox.env()              # AWS_ENDPOINT_URL_… and AWSLOGIN_FEDERATION_URL
        sandbox.urls               # "sts", "iam", "oidc", "portal", "signin", "idp", "issuer"
        sandbox.ann, sandbox.bob   # IAM users' own keys; ann has an MFA device
        sandbox.code("ann")        # the current one-time code of that device
        sandbox.approve(code)      # a person confirms a device code; also deny(code)
        sandbox.calls("sts", "AssumeRole")
        sandbox.fault("sts", status=500, times=2)
        sandbox.world              # what exists, and the clock: world.advance(3600)

`python -m tests.sandbox` starts one and prints where everything is.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import pyotp

from tests.sandbox import saml
from tests.sandbox.form_idp import PATH, FormIdp
from tests.sandbox.iam import Iam
from tests.sandbox.identity_center import Oidc, Portal
from tests.sandbox.oidc import Issuer
from tests.sandbox.server import Answer, Asked, Fault, Service, urls
from tests.sandbox.signin import Signin
from tests.sandbox.sts import Sts
from tests.sandbox.world import Keys, SamlProvider, User, World

__all__ = ["Sandbox"]

DEV, PROD, AUDIT = "111122223333", "444455556666", "777788889999"


class Sandbox:
    """All services, each on a port of its own."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.world = World()
        self.world.seed()
        self.saml_arn = f"arn:aws:iam::{PROD}:saml-provider/corp"
        self.idp = FormIdp(self.world, saml.Signer("https://idp.corp.example"), self.saml_arn)
        self.register_saml(self.saml_arn, self.idp.signer.issuer, self.idp.signer.certificate)
        self.oidc = Oidc(self.world)
        self.issuer = Issuer(self.world)
        self.signin = Signin(self.world)
        handlers = {
            "sts": Sts(self.world).handle,
            "iam": Iam(self.world).handle,
            "oidc": self.oidc.handle,
            "portal": Portal(self.world, self.oidc).handle,
            "signin": self.signin.handle,
            "idp": self.idp.handle,
            "issuer": self.issuer.handle,
        }
        self.services = {
            name: Service(name, handle, self.requests) for name, handle in handlers.items()
        }
        self.urls = urls(self.services)
        self.oidc.url = self.urls["oidc"]
        self.start_url = self.oidc.start_url = f"{self.urls['portal']}/start"
        self.idp.url = self.urls["idp"] + PATH
        self.issuer.register(f"arn:aws:iam::{DEV}:oidc-provider/ci", self.urls["issuer"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Close every port."""
        for service in self.services.values():
            service.stop()

    def env(self) -> dict[str, str]:
        """The variables that lead an AWS client here."""
        return {
            "AWS_ENDPOINT_URL_STS": self.urls["sts"],
            "AWS_ENDPOINT_URL_IAM": self.urls["iam"],
            "AWS_ENDPOINT_URL_SSO": self.urls["portal"],
            "AWS_ENDPOINT_URL_SSO_OIDC": self.urls["oidc"],
            "AWS_ENDPOINT_URL_SIGNIN": self.urls["signin"],
            "AWSLOGIN_FEDERATION_URL": f"{self.urls['signin']}/federation",
        }

    @property
    def ann(self) -> Keys:
        """Ann's own keys."""
        return self._keys_of("ann")

    @property
    def bob(self) -> Keys:
        """Bob's own keys."""
        return self._keys_of("bob")

    def user(self, name: str) -> User:
        """An IAM user."""
        return self.world.users[f"arn:aws:iam::{DEV}:user/{name}"]

    def _keys_of(self, name: str) -> Keys:
        return self.world.keys[self.user(name).keys[0]]

    def code(self, name: str, *, ahead: int = 0) -> str:
        """The code that a user's device shows now, or `ahead` windows later."""
        device = self.user(name).mfa[0]
        return pyotp.TOTP(device.seed).at(int(self.world.now()) + 30 * ahead)

    def approve(self, user_code: str, person: str = "ann") -> None:
        """A person confirms a device code."""
        self.oidc.approve(user_code, person)

    def deny(self, user_code: str) -> None:
        """A person denies a device code."""
        self.oidc.deny(user_code)

    def register_saml(self, arn: str, issuer: str, certificate_pem: str) -> None:
        """Make IAM trust a SAML identity provider."""
        self.world.saml_providers[arn] = SamlProvider(arn, issuer, certificate_pem)

    def calls(self, service: str, action: str | None = None) -> list[Asked]:
        """What a service was asked."""
        return [
            asked
            for asked in list(self.requests)
            if asked.service == service and action in {None, asked.action, asked.path}
        ]

    def fault(
        self,
        service: str,
        *,
        times: int | None = None,
        status: int | None = None,
        body: str | bytes = "",
        headers: dict[str, str] | None = None,
        hang: float = 0,
        reset: bool = False,
        action: str | None = None,
    ) -> None:
        """Make a service fail: a status, a silence of `hang` seconds, or a cut connection."""
        answer = Answer(status, body, headers or {}) if status else None
        self.services[service].fault(Fault(times, answer, hang, reset, action))

    def heal(self, service: str) -> None:
        """End a service's faults."""
        self.services[service].heal()

    def secrets(self) -> list[str]:
        """Every secret key and token that the sandbox ever gave out or holds."""
        found: list[Any] = [keys.secret for keys in self.world.keys.values()]
        found += [keys.token for keys in self.world.keys.values() if keys.token]
        found += [*self.oidc.tokens, *self.oidc.refresh]
        found += [client.secret for client in self.oidc.clients.values()]
        return [str(secret) for secret in found]
