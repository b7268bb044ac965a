"""SAML: makes signed assertions, and takes them as STS does. Source: SAML 2.0; IAM User Guide."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from tests.sandbox import saml_encryption
from tests.sandbox.keys import rsa_key
from tests.sandbox.sigv4 import RefusedError
from tests.sandbox.world import SamlProvider, World

P = "urn:oasis:names:tc:SAML:2.0:protocol"
A = "urn:oasis:names:tc:SAML:2.0:assertion"
DS = "http://www.w3.org/2000/09/xmldsig#"
ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
ACS = "https://signin.aws.amazon.com/saml"
AUDIENCES = {"urn:amazon:webservices", ACS}
FRESH = 300

_NS = {"samlp": P, "saml": A, "ds": DS}
_ASSERTION = f"{{{A}}}Assertion"
_ACS = re.compile(
    r"https://(?:[a-z0-9-]+\.)?signin\."
    r"(?:aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com|amazonaws-eusc\.eu)/saml(?:/acs/\S+)?"
)


class Signer:
    """A key pair of an identity provider. Two with different `key` sign differently."""

    def __init__(self, issuer: str, key: str = "identity provider") -> None:
        self.issuer = issuer
        self._key = rsa_key(key)
        self.certificate = _certificate(key)

    def sign(self, element: Any) -> Any:
        """The element with an enveloped signature where `ds:Signature Id="placeholder"` stands."""
        signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
        return signer.sign(
            element, key=self._key, cert=self.certificate, reference_uri=f"#{element.get('ID')}"
        )


@cache
def _certificate(key: str) -> str:
    """A certificate of the key of this name, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key(key).public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(rsa_key(key), hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def response(
    signer: Signer,
    roles: Sequence[str],
    *,
    now: float,
    user: str = "ann",
    seconds: float = 300,
    issued: float = 0,
    audience: str = "urn:amazon:webservices",
    destination: str = ACS,
    status: str = SUCCESS,
    session_name: str | None = None,
    duration: int | None = None,
    session_ends: float | None = None,
    sign: Sequence[str] = ("response",),
    encrypt_to: rsa.RSAPublicKey | None = None,
) -> str:
    """A SAMLResponse, base64.

    Args:
        signer: Whose name and key it bears.
        roles: Values of the Role attribute, as they are.
        now: The time, seconds since 1970.
        user: The subject.
        seconds: How long its conditions hold.
        issued: Seconds before now that it was issued.
        audience: Whom it is meant for.
        destination: Where it is meant to be posted.
        status: Other than success means that there is no assertion.
        session_name: RoleSessionName; the user where it is None.
        duration: SessionDuration, seconds.
        session_ends: SessionNotOnOrAfter, seconds from now.
        sign: "response", "assertion", both or nothing.
        encrypt_to: Encrypt the assertion to this key.
    """
    at = now - issued
    until = _iso(now + seconds)
    session = f' SessionNotOnOrAfter="{_iso(now + session_ends)}"' if session_ends else ""
    attributes = {
        "Role": roles,
        "RoleSessionName": [user if session_name is None else session_name],
    }
    if duration:
        attributes["SessionDuration"] = [str(duration)]
    statements = "".join(
        f'<saml:Attribute Name="{ATTRIBUTE}{name}">'
        + "".join(f"<saml:AttributeValue>{escape(v)}</saml:AttributeValue>" for v in values)
        + "</saml:Attribute>"
        for name, values in attributes.items()
    )
    assertion = etree.fromstring(
        f'<saml:Assertion xmlns:saml="{A}" ID="_{uuid.uuid4()}" Version="2.0"'
        f' IssueInstant="{_iso(at)}"><saml:Issuer>{signer.issuer}</saml:Issuer>'
        f"{_placeholder('assertion' in sign)}"
        f"<saml:Subject><saml:NameID>{escape(user)}</saml:NameID>"
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
    if "assertion" in sign:
        assertion = signer.sign(assertion)
    if encrypt_to:
        assertion = saml_encryption.encrypt(assertion, encrypt_to)
    document = etree.fromstring(
        f'<samlp:Response xmlns:samlp="{P}" xmlns:saml="{A}" ID="_{uuid.uuid4()}" Version="2.0"'
        f' IssueInstant="{_iso(at)}" Destination="{destination}">'
        f"<saml:Issuer>{signer.issuer}</saml:Issuer>{_placeholder('response' in sign)}"
        f'<samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status></samlp:Response>'
    )
    if status == SUCCESS:
        document.append(assertion)
    if "response" in sign:
        document = signer.sign(document)
    return base64.b64encode(etree.tostring(document)).decode()


@dataclass
class Held:
    """What an accepted assertion holds."""

    issuer: str
    subject: str
    audience: str
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
        raise _invalid("Specified provider doesn't exist")
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        document = etree.fromstring(base64.b64decode(encoded, validate=True), parser)
    except (ValueError, etree.XMLSyntaxError):
        raise _invalid("Invalid base64 SAMLResponse") from None
    if document.tag != f"{{{P}}}Response" or document.getroottree().docinfo.doctype:
        raise _invalid("Invalid SAMLResponse")
    if _one(document, "samlp:Status/samlp:StatusCode/@Value") != SUCCESS:
        raise RefusedError("IDPRejectedClaim", "The IdP did not authenticate the user", 403)
    destination = document.get("Destination")
    if destination is not None and not _ACS.fullmatch(destination):
        raise _invalid("Destination is invalid")
    assertion = _signed_assertion(document, provider)
    if _one(assertion, "saml:Issuer/text()") != provider.issuer:
        raise _invalid("Issuer not present in specified provider")
    _check_times(assertion, world.now())
    audience = set(_all(assertion, "saml:Conditions//saml:Audience/text()")) & AUDIENCES
    if not audience:
        raise _invalid("Audience restriction is not met")
    recipients = _all(assertion, "saml:Subject//saml:SubjectConfirmationData/@Recipient")
    if not any(_ACS.fullmatch(recipient) for recipient in recipients):
        raise _invalid("Recipient is invalid")
    return _held(assertion, audience.pop())


def _signed_assertion(document: Any, provider: SamlProvider) -> Any:
    """The one assertion, every signature on it or around it verified, and at least one there."""
    whole = _verified(document, provider.certificate)
    trusted = document if whole is None else whole
    found = _all(trusted, "saml:Assertion | saml:EncryptedAssertion")
    if len(found) != 1:
        raise _invalid("Response does not contain exactly one assertion")
    assertion = found[0]
    if assertion.tag != _ASSERTION:
        if provider.decryption_key is None:
            raise _invalid("The provider has no key to decrypt an assertion")
        try:
            assertion = saml_encryption.decrypt(assertion, provider.decryption_key)
        except ValueError:
            raise _invalid("The assertion cannot be decrypted") from None
    own = _verified(assertion, provider.certificate)
    if whole is None and own is None:
        raise _invalid("Response signature invalid (there is none)")
    result = assertion if own is None else own
    if result.tag != _ASSERTION:
        raise _invalid("Response signature invalid (it covers something else)")
    return result


def _verified(element: Any, certificate: str) -> Any:
    """What the element's own signature covers; None when it has none."""
    if element.find(f"{{{DS}}}Signature") is None:
        return None
    config = SignatureConfiguration(location="./", ignore_ambiguous_key_info=True)
    try:
        result = XMLVerifier().verify(element, x509_cert=certificate, expect_config=config)
    except (SignXMLException, ValueError):
        raise _invalid("Response signature invalid") from None
    signed = result[0].signed_xml if isinstance(result, list) else result.signed_xml
    if signed is None or signed.get("ID") != element.get("ID"):
        raise _invalid("Response signature invalid (it covers something else)")
    return signed


def _check_times(assertion: Any, now: float) -> None:
    issued = _seconds(assertion.get("IssueInstant"))
    ends = _all(assertion, "saml:Conditions/@NotOnOrAfter")
    ends += _all(assertion, "saml:Subject//saml:SubjectConfirmationData/@NotOnOrAfter")
    if now - issued > FRESH or any(_seconds(end) <= now for end in ends):
        raise RefusedError(
            "ExpiredTokenException",
            "Token must be redeemed within 5 minutes of issuance",
            400,
        )
    starts = [issued, *map(_seconds, _all(assertion, "saml:Conditions/@NotBefore"))]
    if any(start > now + FRESH for start in starts):
        raise _invalid("The assertion is not valid yet")


def _held(assertion: Any, audience: str) -> Held:
    roles = set()
    for value in _values(assertion, "Role"):
        parts = sorted(part.strip() for part in value.split(","))
        if len(parts) == 2 and ":role/" in parts[0] and ":saml-provider/" in parts[1]:
            roles.add((parts[0], parts[1]))
    names = [name.strip() for name in _values(assertion, "RoleSessionName")]
    if len(names) != 1 or not re.fullmatch(r"[\w+=,.@-]{2,64}", names[0], re.ASCII):
        raise _invalid("RoleSessionName is required in AuthnResponse")
    ends = _one(assertion, "saml:AuthnStatement/@SessionNotOnOrAfter")
    return Held(
        issuer=str(_one(assertion, "saml:Issuer/text()")),
        subject=str(_one(assertion, "saml:Subject/saml:NameID/text()")),
        audience=audience,
        session_name=names[0],
        roles=roles,
        session_ends=_seconds(ends) if ends else None,
    )


def _values(assertion: Any, name: str) -> list[str]:
    attribute = f"saml:AttributeStatement/saml:Attribute[@Name='{ATTRIBUTE}{name}']"
    return _all(assertion, f"{attribute}/saml:AttributeValue/text()")


def _all(element: Any, path: str) -> list[Any]:
    return list(element.xpath(path, namespaces=_NS))


def _one(element: Any, path: str) -> Any:
    found = _all(element, path)
    return found[0] if found else None


def _placeholder(wanted: bool) -> str:
    return f'<ds:Signature xmlns:ds="{DS}" Id="placeholder"/>' if wanted else ""


def _invalid(message: str) -> RefusedError:
    return RefusedError("InvalidIdentityToken", message, 400)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        raise _invalid("The assertion has a time that cannot be read") from None
