"""SAML: makes signed assertions, and takes them as STS does. Source: SAML 2.0; IAM User Guide."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import XMLSigner, XMLVerifier
from signxml.exceptions import SignXMLException

from tests.sandbox.sigv4 import RefusedError
from tests.sandbox.world import World

P = "urn:oasis:names:tc:SAML:2.0:protocol"
A = "urn:oasis:names:tc:SAML:2.0:assertion"
ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
AUDIENCES = {"urn:amazon:webservices", "https://signin.aws.amazon.com/saml"}
FRESH = 300


class Signer:
    """A key pair of an identity provider."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, xml: str) -> bytes:
        """The document with an enveloped signature."""
        signed = XMLSigner().sign(etree.fromstring(xml), key=self._key, cert=self.certificate)
        return etree.tostring(signed)


def response(
    signer: Signer,
    roles: list[str],
    *,
    now: float,
    user: str = "ann",
    seconds: float = 300,
    issued: float = 0,
    audience: str = "urn:amazon:webservices",
    destination: str = "https://signin.aws.amazon.com/saml",
    status: str = SUCCESS,
    duration: int | None = None,
    session_ends: float | None = None,
) -> str:
    """A signed SAMLResponse, base64.

    Args:
        roles: Values of the Role attribute, as they are.
        seconds: How long its conditions hold.
        issued: Seconds before now that it was issued.
        session_ends: SessionNotOnOrAfter, seconds from now.
    """
    at = now - issued
    until = _iso(now + seconds)
    session = f' SessionNotOnOrAfter="{_iso(now + session_ends)}"' if session_ends else ""
    attributes = {"Role": roles, "RoleSessionName": [user]}
    if duration:
        attributes["SessionDuration"] = [str(duration)]
    statements = "".join(
        f'<saml:Attribute Name="{ATTRIBUTE}{name}">'
        + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
        + "</saml:Attribute>"
        for name, values in attributes.items()
    )
    assertion = (
        f'<saml:Assertion ID="_{uuid.uuid4()}" Version="2.0" IssueInstant="{_iso(at)}">'
        f"<saml:Issuer>{signer.issuer}</saml:Issuer>"
        f"<saml:Subject><saml:NameID>{user}</saml:NameID>"
        '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
        f'<saml:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{destination}"/>'
        "</saml:SubjectConfirmation></saml:Subject>"
        f'<saml:Conditions NotBefore="{_iso(at - 60)}" NotOnOrAfter="{until}">'
        f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience>"
        "</saml:AudienceRestriction></saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{_iso(at)}"{session}><saml:AuthnContext>'
        "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
        "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
        f"<saml:AttributeStatement>{statements}</saml:AttributeStatement></saml:Assertion>"
    )
    document = (
        f'<samlp:Response xmlns:samlp="{P}" xmlns:saml="{A}" ID="_{uuid.uuid4()}" Version="2.0"'
        f' IssueInstant="{_iso(at)}" Destination="{destination}">'
        f"<saml:Issuer>{signer.issuer}</saml:Issuer>"
        f'<samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status>'
        f"{assertion if status == SUCCESS else ''}</samlp:Response>"
    )
    return base64.b64encode(signer.sign(document)).decode()


@dataclass
class Held:
    """What an accepted assertion holds."""

    issuer: str
    subject: str
    session_name: str
    roles: set[tuple[str, str]]
    session_ends: float | None


def accept(world: World, encoded: str, provider_arn: str) -> Held:
    """Take an assertion as STS does.

    Raises:
        RefusedError: It is malformed, unsigned, expired, or of somebody else.
    """
    provider = world.saml_providers.get(provider_arn)
    if provider is None:
        raise RefusedError("InvalidIdentityToken", "Specified provider doesn't exist", 400)
    try:
        document = etree.fromstring(base64.b64decode(encoded, validate=True))
    except (ValueError, etree.XMLSyntaxError):
        raise RefusedError("InvalidIdentityToken", "Invalid base64 SAMLResponse", 400) from None
    if _one(document, "//samlp:StatusCode/@Value") != SUCCESS:
        raise RefusedError("IDPRejectedClaim", "The IdP did not authenticate the user", 403)
    assertion = _signed_assertion(document, provider.certificate)
    if _one(assertion, "saml:Issuer/text()") != provider.issuer:
        raise RefusedError("InvalidIdentityToken", "Issuer not present in specified provider", 400)
    _check_times(assertion, world.now())
    if not set(assertion.xpath("//saml:Audience/text()", namespaces=_NS)) & AUDIENCES:
        raise RefusedError("InvalidIdentityToken", "Audience is invalid", 400)
    recipient = str(_one(assertion, "//saml:SubjectConfirmationData/@Recipient"))
    if "signin" not in recipient or not recipient.endswith("/saml"):
        raise RefusedError("InvalidIdentityToken", "Recipient is invalid", 400)
    return _held(assertion)


_NS = {"samlp": P, "saml": A}


def _signed_assertion(document: Any, certificate: str) -> Any:
    """The assertion that the provider's signature covers."""
    signed = (
        document
        if document.find("{http://www.w3.org/2000/09/xmldsig#}Signature") is not None
        else None
    )
    if signed is None:
        signed = document.find(f"{{{A}}}Assertion")
    if signed is None:
        raise RefusedError("InvalidIdentityToken", "Response does not contain an assertion", 400)
    try:
        verified = XMLVerifier().verify(signed, x509_cert=certificate).signed_xml
    except (SignXMLException, ValueError):
        raise RefusedError("InvalidIdentityToken", "Response signature invalid", 400) from None
    assertion = (
        verified if verified.tag == f"{{{A}}}Assertion" else verified.find(f"{{{A}}}Assertion")
    )
    if assertion is None:
        raise RefusedError("InvalidIdentityToken", "Response does not contain an assertion", 400)
    return assertion


def _check_times(assertion: Any, now: float) -> None:
    issued = _seconds(assertion.get("IssueInstant"))
    ends = [
        *assertion.xpath("//saml:Conditions/@NotOnOrAfter", namespaces=_NS),
        *assertion.xpath("//saml:SubjectConfirmationData/@NotOnOrAfter", namespaces=_NS),
    ]
    if now - issued > FRESH or any(_seconds(end) <= now for end in ends):
        raise RefusedError("ExpiredTokenException", "Token must be redeemed within 5 minutes", 400)


def _held(assertion: Any) -> Held:
    roles = set()
    for value in _values(assertion, "Role"):
        parts = sorted(part.strip() for part in value.split(","))
        if len(parts) == 2 and ":role/" in parts[0] and ":saml-provider/" in parts[1]:
            roles.add((parts[0], parts[1]))
    names = _values(assertion, "RoleSessionName")
    if not names:
        raise RefusedError("InvalidIdentityToken", "RoleSessionName is required", 400)
    ends = _one(assertion, "//saml:AuthnStatement/@SessionNotOnOrAfter")
    return Held(
        issuer=str(_one(assertion, "saml:Issuer/text()")),
        subject=str(_one(assertion, "//saml:NameID/text()")),
        session_name=names[0].strip(),
        roles=roles,
        session_ends=_seconds(ends) if ends else None,
    )


def _values(assertion: Any, name: str) -> list[str]:
    path = f"//saml:Attribute[@Name='{ATTRIBUTE}{name}']/saml:AttributeValue/text()"
    return [str(value) for value in assertion.xpath(path, namespaces=_NS)]


def _one(element: Any, path: str) -> Any:
    found = element.xpath(path, namespaces=_NS)
    return found[0] if found else None


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
