"""Strict loopback AWS and identity providers, in one process.

    with Sandbox() as sandbox:
        sandbox.env()              # AWS_ENDPOINT_URL_… and AWSLOGIN_FEDERATION_URL
        sandbox.urls               # sts, iam, oidc, portal, signin, idp, issuer, control, twins
        sandbox.start_url          # Identity Center's; sandbox.idp.url is the form provider's
        sandbox.adfs, .shibboleth, .ping, .authentik, .jumpcloud   # twins: .url, .habits, .seen
        sandbox.auth0, .netiq, .pingone, .akamai                   # as well
        sandbox.okta, sandbox.entra, sandbox.onelogin    # twins: .url and knobs of their own
        sandbox.ann, sandbox.bob   # IAM users' own keys; ann has an MFA device
        sandbox.code("ann")        # the current one-time code of that device
        sandbox.approve(code)      # a person confirms a device code; also deny(code)
        sandbox.console_login      # who the browser is signed in as at AWS: .arn, .deny, …
        sandbox.assertion("ann")   # a base64 SAMLResponse; overrides spoil it
        sandbox.openid             # an OpenID provider for people: .url, .person, .confirm(code)
        sandbox.athena, sandbox.s3 # a table and a bucket of CloudTrail's events, with knobs
        sandbox.issuer.token()     # a CI job's JWT; overrides spoil it
        sandbox.calls("sts", "AssumeRole")     # what was asked; sandbox.requests has all
        sandbox.fault("sts", status=500, times=2)   # also hang=…, reset=True, body=…; heal()
        sandbox.world              # what exists, and the clock: world.advance(3600)
        sandbox.register_saml(…), sandbox.register_oidc(…)  # trust a real provider

It refuses what AWS refuses: wrong signatures, used codes, untrusted roles, expired tokens.
`tests/sandbox_selftest` holds it to that. `python -m tests.sandbox` starts one for people and for
other processes; those steer it through `tests.sandbox.control.Remote`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.sandbox import (
    adfs,
    akamai,
    auth0,
    authentik,
    jumpcloud,
    netiq,
    openid,
    pingone,
    saml,
    shibboleth,
)
from tests.sandbox.adfs import Adfs
from tests.sandbox.akamai import Akamai
from tests.sandbox.athena import Athena
from tests.sandbox.auth0 import Auth0
from tests.sandbox.authentik import Authentik
from tests.sandbox.control import Control
from tests.sandbox.entra import Entra
from tests.sandbox.form_idp import PATH, FormIdp
from tests.sandbox.iam import Iam
from tests.sandbox.identity_center import Oidc, Portal
from tests.sandbox.jumpcloud import JumpCloud
from tests.sandbox.keys import rsa_key
from tests.sandbox.netiq import NetIq
from tests.sandbox.oidc import AUDIENCE, Issuer, keys_of
from tests.sandbox.okta import Okta
from tests.sandbox.onelogin import OneLogin
from tests.sandbox.openid import OpenId
from tests.sandbox.pingfederate import PingFederate
from tests.sandbox.pingone import PingOne
from tests.sandbox.s3 import S3
from tests.sandbox.server import FOR_EVER, Answer, Asked, Fault, Service, urls
from tests.sandbox.shibboleth import Shibboleth
from tests.sandbox.signin import Signin
from tests.sandbox.sts import Sts
from tests.sandbox.world import Keys, OidcProvider, SamlProvider, User, World

__all__ = ["FOR_EVER", "Sandbox"]

DEV, PROD, AUDIT = "111122223333", "444455556666", "777788889999"


class Sandbox:
    """All services, each on a port of its own."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.world = World()
        self.world.seed()
        self.saml_arn = f"arn:aws:iam::{PROD}:saml-provider/corp"
        self.idp = FormIdp(self.world, saml.Signer("https://idp.corp.example"))
        for arn in (self.saml_arn, f"arn:aws:iam::{DEV}:saml-provider/corp"):
            self.register_saml(
                arn, self.idp.signer.issuer, self.idp.signer.certificate, rsa_key("AWS")
            )
        self.okta = Okta(self.world, self.idp)
        self.entra = Entra(self.world, self.idp)
        self.onelogin = OneLogin(self.world, self.idp)
        self.adfs = Adfs(self.world, self.idp)
        self.shibboleth = Shibboleth(self.world, self.idp)
        self.ping = PingFederate(self.world, self.idp)
        self.authentik = Authentik(self.world, self.idp)
        self.jumpcloud = JumpCloud(self.world, self.idp)
        self.auth0 = Auth0(self.world, self.idp)
        self.netiq = NetIq(self.world, self.idp)
        self.pingone = PingOne(self.world, self.idp)
        self.akamai = Akamai(self.world, self.idp)
        self.oidc = Oidc(self.world)
        self.portal = Portal(self.world, self.oidc)
        self.issuer = Issuer(self.world)
        self.openid = OpenId(self.world)
        self.signin = Signin(self.world)
        self.console_login = self.signin.console_login
        self.athena, self.s3 = Athena(self.world), S3(self.world)
        handlers = {
            "athena": self.athena.handle,
            "s3": self.s3.handle,
            "sts": Sts(self.world).handle,
            "iam": Iam(self.world).handle,
            "oidc": self.oidc.handle,
            "portal": self.portal.handle,
            "signin": self.signin.handle,
            "idp": self.idp.handle,
            "okta": self.okta.handle,
            "entra": self.entra.handle,
            "entra-adfs": self.entra.adfs,
            "onelogin": self.onelogin.handle,
            "adfs": self.adfs.handle,
            "shibboleth": self.shibboleth.handle,
            "ping": self.ping.handle,
            "pingid": self.ping.handle_pingid,
            "authentik": self.authentik.handle,
            "jumpcloud": self.jumpcloud.handle,
            "auth0": self.auth0.handle,
            "netiq": self.netiq.handle,
            "pingone": self.pingone.handle,
            "akamai": self.akamai.handle,
            "issuer": self.issuer.handle,
            "openid": self.openid.handle,
            "control": Control(self).handle,
        }
        self.services = {
            name: Service(name, handle, [] if name == "control" else self.requests)
            for name, handle in handlers.items()
        }
        self.urls = urls(self.services)
        self.oidc.url = self.urls["oidc"]
        self.start_url = self.oidc.start_url = f"{self.urls['portal']}/start"
        self.idp.url = self.urls["idp"] + PATH
        self.okta.url, self.onelogin.url = self.urls["okta"], self.urls["onelogin"]
        self.entra.url, self.entra.adfs_url = self.urls["entra"], self.urls["entra-adfs"]
        self.adfs.url = self.urls["adfs"] + adfs.START
        self.shibboleth.url = self.urls["shibboleth"] + shibboleth.START
        self.ping.url, self.ping.pingid_url = self.urls["ping"], self.urls["pingid"]
        self.authentik.url = self.urls["authentik"] + authentik.APP
        self.jumpcloud.url = self.urls["jumpcloud"] + jumpcloud.APP
        self.auth0.url = self.urls["auth0"] + auth0.APP
        self.netiq.url = self.urls["netiq"] + netiq.APP
        self.pingone.url = self.urls["pingone"] + pingone.APP
        self.akamai.url = self.urls["akamai"] + akamai.APP
        self.entra.site.verification = "required"
        for name in ("authentik", "jumpcloud", "pingone", "entra"):
            site = getattr(self, name).site
            site.origin, site.rp_id = self.urls[name], "127.0.0.1"
        self.issuer.url = self.urls["issuer"]
        arn = f"arn:aws:iam::{DEV}:oidc-provider/ci"
        self.register_oidc(arn, self.issuer.url, self.issuer.jwks)
        self.openid.url = self.urls["openid"]
        people = f"arn:aws:iam::{DEV}:oidc-provider/people"
        self.register_oidc(people, self.openid.url, self.openid.jwks, (openid.CLIENT,))
        self.world.add_role(f"arn:aws:iam::{DEV}:role/People", people)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
            "AWS_ENDPOINT_URL_ATHENA": self.urls["athena"],
            "AWS_ENDPOINT_URL_S3": self.urls["s3"],
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
        return self.user(name).mfa[0].code(self.world.now() + 30 * ahead)

    def approve(self, user_code: str, person: str = "ann") -> None:
        """A person confirms a device code."""
        self.oidc.approve(user_code, person)

    def deny(self, user_code: str) -> None:
        """A person denies a device code."""
        self.oidc.deny(user_code)

    def assertion(
        self, person: str = "ann", *, forged: bool = False, encrypted: bool = False, **more: Any
    ) -> str:
        """A SAMLResponse of the form provider, base64.

        Args:
            person: Whose.
            forged: Signed by somebody else in the provider's name.
            encrypted: Its assertion is encrypted to AWS's key.
            **more: Any argument of `saml.response`, such as `roles`, `seconds`, `issued`,
                `audience`, `destination`, `status`, `session_ends`, `sign`.
        """
        if forged:
            more["signer"] = saml.Signer(self.idp.signer.issuer, key="somebody else")
        if encrypted:
            more["encrypt_to"] = rsa_key("AWS").public_key()
        return self.idp.assertion(self.world.people[person], **more)

    def register_saml(
        self,
        arn: str,
        issuer: str,
        certificate_pem: str,
        decryption_key: RSAPrivateKey | None = None,
    ) -> None:
        """Make IAM trust a SAML identity provider; roles trust it by `world.add_role`."""
        self.world.saml_providers[arn] = SamlProvider(arn, issuer, certificate_pem, decryption_key)

    def register_oidc(
        self, arn: str, issuer: str, jwks: Mapping[str, Any], audiences: tuple[str, ...] = ()
    ) -> None:
        """Make IAM trust an OIDC issuer by its JWK set; without `audiences` STS's own holds."""
        self.world.oidc_providers[issuer] = OidcProvider(
            arn, issuer, keys_of(jwks), set(audiences or [AUDIENCE])
        )

    def calls(self, service: str, action: str | None = None) -> list[Asked]:
        """What a service was asked: an action of the query protocol, or a path."""
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
        """Make a service fail: a reply, a silence of `hang` seconds, or a cut connection.

        It lasts for `times` requests, else until `heal`; `action` narrows it to an action or path.
        """
        answer = Answer(status or 200, body, headers or {}) if status or body else None
        self.services[service].fault(Fault(times, answer, hang, reset, action))

    def heal(self, service: str) -> None:
        """End a service's faults."""
        self.services[service].heal()

    def crashes(self) -> list[str]:
        """Tracebacks of the sandbox's own failures."""
        return [crash for service in self.services.values() for crash in service.crashes]

    def secrets(self) -> list[str]:
        """Every secret key and token that the sandbox ever gave out or holds."""
        found: list[Any] = [keys.secret for keys in self.world.keys.values()]
        found += [keys.token for keys in self.world.keys.values() if keys.token]
        found += [*self.oidc.tokens, *self.oidc.refresh]
        found += list(self.openid.refresh)
        found += [token for grant in self.console_login.grants for token in grant.tokens]
        found += [client.secret for client in self.oidc.clients.values()]
        return [str(secret) for secret in found]

    def about(self) -> dict[str, Any]:
        """Where everything is and who there is, for people and for other processes."""
        return {
            "env": self.env(),
            "start_url": self.start_url,
            "form_idp": self.idp.url,
            "adfs": self.adfs.url,
            "shibboleth": self.shibboleth.url,
            "pingfederate": self.ping.url,
            "authentik": self.authentik.url,
            "jumpcloud": self.jumpcloud.url,
            "auth0": self.auth0.url,
            "netiq": self.netiq.url,
            "pingone": self.pingone.url,
            "akamai": self.akamai.url,
            "control": self.urls["control"],
            "people": {name: person.password for name, person in self.world.people.items()},
            "totp": {p.name: p.totp.seed for p in self.world.people.values() if p.totp},
            "keys": {
                name: {"AccessKeyId": keys.key_id, "SecretAccessKey": keys.secret}
                for name, keys in (("ann", self.ann), ("bob", self.bob))
            },
            "mfa": {device.serial: device.seed for device in self.user("ann").mfa},
            "roles": {role.arn: list(role.trusts) for role in self.world.roles.values()},
            "ci_token": self.issuer.token(),
        }
