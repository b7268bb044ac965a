"""SimpleSAMLphp, Debian's package, as an identity provider for AWS on loopback.

Its sign-in page asks for a user name and a password; a sign-in ends with a signed Response that
holds a signed assertion. Settings: https://simplesamlphp.org/docs/1.19/.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.real.parts import certificate, process
from tests.real.parts.aws import ACS, ATTRIBUTE, AUDIENCE

_PACKAGE = Path("/usr/share/simplesamlphp/www")
_SAML2 = "urn:oasis:names:tc:SAML:2.0:"
_FORMAT_URI = f"{_SAML2}attrname-format:uri"


@dataclass(frozen=True)
class Person:
    """A user of the identity provider.

    `roles` are whole values of the Role attribute, "role ARN,provider ARN"; `duration` is the
    SessionDuration attribute, in seconds.
    """

    password: str
    roles: tuple[str, ...]
    session_name: str = "ann"
    duration: int | None = None

    def attributes(self) -> dict[str, list[str]]:
        """What the assertion says of this person."""
        values = {
            ATTRIBUTE + "Role": list(self.roles),
            ATTRIBUTE + "RoleSessionName": [self.session_name],
        }
        if self.duration is not None:
            values[ATTRIBUTE + "SessionDuration"] = [str(self.duration)]
        return values


@dataclass(frozen=True)
class SimpleSamlPhp:
    """A running identity provider.

    `url` is where a sign-in starts, as its administrator hands it out; `decryption_key` is AWS's
    where assertions are encrypted.
    """

    origin: str
    url: str
    entity_id: str
    certificate_pem: str
    decryption_key: RSAPrivateKey | None
    people: Mapping[str, Person]


@contextmanager
def running(
    folder: Path,
    people: Mapping[str, Person],
    *,
    acs: str = ACS,
    encrypted: bool = False,
) -> Iterator[SimpleSamlPhp]:
    """A SimpleSAMLphp of its own while the block runs.

    Args:
        folder: Takes its config, keys, sessions and log.
        people: By user name.
        acs: Where it posts the SAMLResponse.
        encrypted: Whether the assertion is encrypted to AWS.
    """
    for part in ("config", "metadata", "sessions", "temp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    port = process.free_port()
    origin = f"http://127.0.0.1:{port}/"
    entity_id = f"{origin}saml2/idp/metadata.php"
    signing = certificate.write(folder, "idp")
    encryption = certificate.write(folder, "aws")
    _php(folder / "config/config.php", "config", _config(folder, origin))
    _php(
        folder / "config/authsources.php",
        "config",
        {"people": {"0": "exampleauth:UserPass"} | _accounts(people)},
    )
    _php(folder / "metadata/saml20-idp-hosted.php", "metadata", {entity_id: _IDP})
    _php(
        folder / "metadata/saml20-sp-remote.php",
        "metadata",
        {
            AUDIENCE: {
                "AssertionConsumerService": acs,
                "NameIDFormat": f"{_SAML2}nameid-format:transient",
                "assertion.encryption": encrypted,
                "certificate": "aws.crt",
            }
        },
    )
    with process.running(
        ["php", "-d", "error_log=", "-S", f"127.0.0.1:{port}", "-t", str(_PACKAGE)],
        env=process.clean_environ(SIMPLESAMLPHP_CONFIG_DIR=str(folder / "config")),
        log=folder / "php.log",
        ready=lambda: process.answers(port),
    ):
        yield SimpleSamlPhp(
            origin=origin,
            url=f"{origin}saml2/idp/SSOService.php?{urlencode({'spentityid': AUDIENCE})}",
            entity_id=entity_id,
            certificate_pem=signing.certificate_pem,
            decryption_key=encryption.key if encrypted else None,
            people=people,
        )


def _config(folder: Path, origin: str) -> dict[str, Any]:
    return {
        "baseurlpath": origin,
        "certdir": f"{folder}/",
        "metadatadir": f"{folder}/metadata/",
        "tempdir": f"{folder}/temp",
        "loggingdir": f"{folder}/",
        "logging.handler": "file",
        "logging.level": 4,  # warnings
        "secretsalt": secrets.token_hex(16),
        "auth.adminpassword": secrets.token_hex(16),
        "admin.checkforupdates": False,
        "timezone": "UTC",
        "enable.saml20-idp": True,
        "module.enable": {"core": True, "saml": True, "exampleauth": True},
        "metadata.sources": [{"type": "flatfile"}],
        "store.type": "phpsession",
        "session.phpsession.savepath": f"{folder}/sessions",
        "session.cookie.secure": False,
        "session.cookie.samesite": None,
        "language.cookie.secure": False,
        "language.cookie.samesite": None,
        "language.available": ["en"],
        "language.default": "en",
    }


_IDP = {
    "host": "__DEFAULT__",
    "privatekey": "idp.pem",
    "certificate": "idp.crt",
    "auth": "people",
    "attributes.NameFormat": _FORMAT_URI,
    "signature.algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "saml20.sign.response": True,
    "saml20.sign.assertion": True,
}


def _accounts(people: Mapping[str, Person]) -> dict[str, Any]:
    return {f"{name}:{person.password}": person.attributes() for name, person in people.items()}


def _php(path: Path, variable: str, value: Mapping[str, Any]) -> None:
    """Write a PHP file that sets this variable."""
    document = json.dumps(value, indent=1)
    path.write_text(f"<?php\n${variable} = json_decode(<<<'JSON'\n{document}\nJSON, true);\n")
