"""Keycloak's realm: AWS as its SAML client, OIDC clients, and people with every kind of sign-in.

The second factor is asked of those who have one, as in Keycloak's own flow; unlike there, a passkey
counts. The shapes are those of Keycloak's Admin REST API:
https://www.keycloak.org/docs-api/latest/rest-api/.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.real.parts.aws import ACS, ADMIN, ATTRIBUTE, AUDIENCE, READ_ONLY, TOKEN_AUDIENCE

NAME = "corp"
IDP_INITIATED = "amazon-aws"
DEVICE_CLIENT = "device"
JOB_CLIENT = "ci"
ADMIN_CLIENT = "tests"
SECRET = "known to every client of this realm"
DURATION = 7200


@dataclass(frozen=True)
class Passkey:
    """A WebAuthn credential whose private key the tests know."""

    number: int

    @property
    def credential_id(self) -> str:
        """Its id, base64."""
        return base64.b64encode(self.number.to_bytes(16)).decode()

    @property
    def private_key(self) -> str:
        """Its P-256 key, PKCS #8, base64; what a virtual authenticator is given."""
        der = self.key().private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return base64.b64encode(der).decode()

    def representation(self) -> dict[str, Any]:
        """The public half as Keycloak keeps it."""
        point = self.key().public_key().public_numbers()
        x, y = point.x.to_bytes(32), point.y.to_bytes(32)
        cose = bytes.fromhex("a501020326200121 5820") + x + bytes.fromhex("22 5820") + y
        return {
            "type": "webauthn",
            "userLabel": "security key",
            "secretData": "{}",
            "credentialData": json.dumps(
                {
                    "aaguid": "00000000-0000-0000-0000-000000000000",
                    "credentialId": self.credential_id,
                    "counter": 0,
                    "credentialPublicKey": base64.urlsafe_b64encode(cose).decode(),
                    "attestationStatementFormat": "none",
                    "transports": ["usb"],
                }
            ),
        }

    def key(self) -> ec.EllipticCurvePrivateKey:
        """Its private key."""
        return ec.derive_private_key(self.number, ec.SECP256R1())


@dataclass(frozen=True)
class Person:
    """A user.

    `totp` holds the seed of each authenticator app, base32; `required_actions` are asked after the
    password, such as UPDATE_PASSWORD.
    """

    name: str
    password: str = "hunter2 is not it"
    roles: tuple[str, ...] = (ADMIN,)
    totp: tuple[str, ...] = ()
    passkey: Passkey | None = None
    required_actions: tuple[str, ...] = ()
    enabled: bool = True

    def representation(self) -> dict[str, Any]:
        """The user as Keycloak imports it."""
        credentials: list[dict[str, Any]] = [{"type": "password", "value": self.password}]
        if self.passkey:  # what comes first is asked first
            credentials.append(self.passkey.representation())
        credentials += [_totp(number, seed) for number, seed in enumerate(self.totp, 1)]
        return {
            "username": self.name,
            "enabled": self.enabled,
            "email": f"{self.name}@corp.example",
            "emailVerified": True,
            "firstName": self.name.capitalize(),
            "lastName": "Corp",
            "credentials": credentials,
            "requiredActions": list(self.required_actions),
            "clientRoles": {AUDIENCE: list(self.roles)},
        }


_PHONE, _TABLET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
PEOPLE = (
    Person("ann"),
    Person("ben", "swordfish", roles=(ADMIN, READ_ONLY)),
    Person("nora", "no roles here", roles=()),
    Person("otto", "open sesame", totp=(_PHONE,)),
    Person("petra", "two of them", totp=(_PHONE, _TABLET)),
    Person("wanda", "touch me", passkey=Passkey(20260101)),
    Person("xenia", "touch or type", passkey=Passkey(20260102), totp=(_PHONE,)),
    Person("uma", "change me", required_actions=("UPDATE_PASSWORD",)),
    Person("conrad", "set it up", required_actions=("CONFIGURE_TOTP",)),
    Person("dora", "disabled one", enabled=False),
)


def representation() -> dict[str, Any]:
    """The realm as Keycloak imports it; the same each time."""
    return {
        "realm": NAME,
        "enabled": True,
        "sslRequired": "external",
        "clients": [_aws(), _job(), _device(), _own(ADMIN_CLIENT)],
        "roles": {"client": {AUDIENCE: [{"name": role} for role in (ADMIN, READ_ONLY)]}},
        "users": [person.representation() for person in PEOPLE] + [_administrator()],
        "authenticationFlows": _flows(),
        "browserFlow": "sign-in",
    }


def _aws() -> dict[str, Any]:
    return {
        "clientId": AUDIENCE,
        "protocol": "saml",
        "redirectUris": [ACS],
        "fullScopeAllowed": False,
        "defaultClientScopes": [],
        "attributes": {
            "saml_idp_initiated_sso_url_name": IDP_INITIATED,
            "saml_assertion_consumer_url_post": ACS,
            "saml_name_id_format": "persistent",
            "saml.force.post.binding": "true",
            "saml.authnstatement": "true",
            "saml.client.signature": "false",
            "saml.server.signature": "true",
            "saml.assertion.signature": "true",
            "saml.signature.algorithm": "RSA_SHA256",
        },
        "protocolMappers": [
            _saml_mapper("Role", "saml-role-list-mapper", single="true"),
            _saml_mapper(
                "RoleSessionName", "saml-user-property-mapper", **{"user.attribute": "username"}
            ),
            _saml_mapper(
                "SessionDuration",
                "saml-hardcode-attribute-mapper",
                **{"attribute.value": str(DURATION)},
            ),
        ],
    }


def _saml_mapper(attribute: str, mapper: str, **config: str) -> dict[str, Any]:
    return {
        "name": attribute,
        "protocol": "saml",
        "protocolMapper": mapper,
        "config": {"attribute.name": ATTRIBUTE + attribute, "attribute.nameformat": "URI Reference"}
        | config,
    }


def _job() -> dict[str, Any]:
    audience = {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": TOKEN_AUDIENCE, "access.token.claim": "true"},
    }
    return _own(JOB_CLIENT) | {"protocolMappers": [audience]}


def _own(client: str) -> dict[str, Any]:
    """A client that signs in as itself."""
    return {
        "clientId": client,
        "secret": SECRET,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
    }


def _administrator() -> dict[str, Any]:
    return {
        "username": f"service-account-{ADMIN_CLIENT}",
        "enabled": True,
        "serviceAccountClientId": ADMIN_CLIENT,
        "clientRoles": {"realm-management": ["realm-admin"]},
    }


def _device() -> dict[str, Any]:
    return {
        "clientId": DEVICE_CLIENT,
        "publicClient": True,
        "redirectUris": ["http://127.0.0.1/oauth/callback"],
        "attributes": {"oauth2.device.authorization.grant.enabled": "true"},
    }


def _flows() -> list[dict[str, Any]]:
    return [
        _flow("sign-in", [_step("auth-cookie"), _subflow("sign-in forms")], top=True),
        _flow(
            "sign-in forms",
            [
                _step("auth-username-password-form", "REQUIRED"),
                _subflow("sign-in second factor", "CONDITIONAL"),
            ],
        ),
        _flow(
            "sign-in second factor",
            [
                _step("conditional-user-configured", "REQUIRED"),
                _step("webauthn-authenticator"),
                _step("auth-otp-form"),
            ],
        ),
    ]


def _flow(alias: str, steps: list[dict[str, Any]], *, top: bool = False) -> dict[str, Any]:
    return {
        "alias": alias,
        "providerId": "basic-flow",
        "topLevel": top,
        "builtIn": False,
        "authenticationExecutions": [
            step | {"priority": 10 * number} for number, step in enumerate(steps)
        ],
    }


def _step(authenticator: str, requirement: str = "ALTERNATIVE") -> dict[str, Any]:
    return {"authenticator": authenticator, "requirement": requirement}


def _subflow(alias: str, requirement: str = "ALTERNATIVE") -> dict[str, Any]:
    return {"flowAlias": alias, "requirement": requirement, "authenticatorFlow": True}


def _totp(number: int, seed: str) -> dict[str, Any]:
    return {
        "type": "otp",
        "userLabel": f"device {number}",
        "secretData": json.dumps({"value": seed}),
        "credentialData": json.dumps(
            {
                "subType": "totp",
                "digits": 6,
                "period": 30,
                "counter": 0,
                "algorithm": "HmacSHA1",
                "secretEncoding": "BASE32",
            }
        ),
    }
