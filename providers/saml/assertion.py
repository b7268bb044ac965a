"""What a SAMLResponse says: roles, names and until when. Owns reading it, hardened; not judging it.

The signature is STS's to check. Source: SAML 2.0 core; IAM User Guide, "Configuring SAML
assertions for the authentication response".
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import NoReturn
from xml.etree import ElementTree as ET
from xml.parsers import expat

from broker.errors import LoginRefused, UnexpectedReply
from broker.terminal_text import one_line

ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
REDEEM_WITHIN = timedelta(minutes=5)
"""STS takes an assertion until five minutes after it was issued."""
SHORTEST, LONGEST = 900, 43200
"""Seconds of a session, as STS bounds them."""
MAX_BYTES = 1_000_000
MAX_DEPTH = 64

_AWS = re.compile(r"urn:amazon:webservices|signin\.(aws\.amazon|amazonaws)[a-z-]*\.")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/(?:[!-~]{1,510}/)?[\w+=,.@-]+", re.ASCII)
"""A path may hold any printable character, a name may not (IAM API Reference, CreateRole)."""
_PROVIDER = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:saml-provider/[\w._-]+", re.ASCII)


@dataclass(frozen=True, order=True)
class Role:
    """A role, and the SAML provider through which it is taken."""

    role_arn: str
    provider_arn: str


@dataclass(frozen=True)
class Assertion:
    """A response that holds an assertion. Times are UTC.

    Attributes:
        encoded: The SAMLResponse as it came, base64: a bearer secret.
        roles: Sorted; empty where the assertion is encrypted.
        encrypted: Nothing in it can be read here.
        usable_until: When STS stops taking it.
        session_duration: The provider's wish, seconds.
        session_ends: When the provider ends the session, if it says so.
        audiences: Whom it is for.
        recipients: Where it may be presented: what AWS calls `SAML:aud`.
        issuer: Who made it; empty where that cannot be read.
    """

    encoded: str
    roles: tuple[Role, ...]
    encrypted: bool
    usable_until: datetime
    session_duration: int | None
    session_ends: datetime | None
    audiences: tuple[str, ...]
    recipients: tuple[str, ...]
    issuer: str


def read(encoded: str, now: datetime) -> Assertion:
    """Read a SAMLResponse.

    Raises:
        UnexpectedReply: It is no SAML response, or XML that we do not parse.
        LoginRefused: It says that the sign-in failed.
    """
    root = _response(encoded)
    _require_success(root)
    assertion = root.find(f"{ASSERTION}Assertion")
    encrypted = assertion is None and root.find(f"{ASSERTION}EncryptedAssertion") is not None
    if assertion is None and not encrypted:
        raise UnexpectedReply("the SAML response holds no assertion")
    there = assertion if assertion is not None else root
    duration = _attribute(there, "SessionDuration")
    return Assertion(
        encoded="".join(encoded.split()),
        roles=_roles(there),
        encrypted=encrypted,
        usable_until=_usable_until(there, now),
        session_duration=_seconds(duration[0]) if duration else None,
        session_ends=min(_times(there, "AuthnStatement", "SessionNotOnOrAfter"), default=None),
        audiences=_audiences(there),
        recipients=_recipients(there),
        issuer=(there.findtext(f"{ASSERTION}Issuer") or "").strip(),
    )


def is_for_another(encoded: str) -> bool:
    """Whether a SAMLResponse names an audience and AWS is not among it, nor a role of AWS in it.

    False for what cannot be read: then it is AWS's, or nobody's.
    """
    try:
        root = _response(encoded)
    except UnexpectedReply:
        return False
    audiences = _audiences(root)
    return (
        bool(audiences)
        and not any(_AWS.search(audience) for audience in audiences)
        and not _attribute(root, "Role")
    )


def _response(encoded: str) -> ET.Element:
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnexpectedReply("the SAMLResponse is not base64") from None
    root = _parse(content)
    if root.tag != f"{PROTOCOL}Response":
        raise UnexpectedReply("the SAMLResponse is not a SAML response")
    return root


def _parse(content: bytes) -> ET.Element:
    """XML without DTD and entities, of bounded size and depth."""
    if len(content) > MAX_BYTES:
        raise UnexpectedReply("the SAMLResponse is absurdly large")
    depth = 0

    def refuse(*_: object) -> NoReturn:
        raise UnexpectedReply("the SAMLResponse holds a document type, which SAML never does")

    def start(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise UnexpectedReply("the SAMLResponse is nested absurdly deep")

    def end(_: object) -> None:
        nonlocal depth
        depth -= 1

    guard = expat.ParserCreate()
    guard.StartDoctypeDeclHandler = refuse
    guard.EntityDeclHandler = refuse
    guard.StartElementHandler = start
    guard.EndElementHandler = end
    try:
        guard.Parse(content, True)
        return ET.fromstring(content)  # noqa: S314 - the guard above has refused DTDs
    except (expat.ExpatError, ET.ParseError, ValueError, LookupError):
        raise UnexpectedReply("the SAMLResponse is not well-formed XML") from None


def _require_success(root: ET.Element) -> None:
    codes = [
        code.get("Value", "") for code in root.findall(f"{PROTOCOL}Status//{PROTOCOL}StatusCode")
    ]
    if codes and codes[0] == SUCCESS:
        return
    status_message = root.findtext(f"{PROTOCOL}Status/{PROTOCOL}StatusMessage") or ""
    reasons = [code.rpartition(":")[2] for code in codes]
    reason = one_line(status_message) or ", ".join(reasons) or "no status"
    raise LoginRefused(
        f"the identity provider refused the sign-in: {reason}", hint="ask its administrator"
    )


def _roles(assertion: ET.Element) -> tuple[Role, ...]:
    """Pairs of role and provider, in either order; a malformed one spoils itself alone."""
    found = set()
    for value in _attribute(assertion, "Role"):
        arns = re.split(r"\s*[,;\s]\s*(?=arn:)", value.strip())
        for pair in zip(arns[::2], arns[1::2], strict=len(arns) % 2 == 0):
            for role_arn, provider_arn in (pair, pair[::-1]):
                if _ROLE.fullmatch(role_arn) and _PROVIDER.fullmatch(provider_arn):
                    found.add(Role(role_arn, provider_arn))
    return tuple(sorted(found))


def _audiences(there: ET.Element) -> tuple[str, ...]:
    return tuple((audience.text or "").strip() for audience in there.iter(f"{ASSERTION}Audience"))


def _recipients(there: ET.Element) -> tuple[str, ...]:
    confirmations = there.iter(f"{ASSERTION}SubjectConfirmationData")
    return tuple(filter(None, (data.get("Recipient") for data in confirmations)))


def _seconds(text: str) -> int | None:
    """A SessionDuration, within what STS takes."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return None
    return min(max(int(text), SHORTEST), LONGEST)


def _attribute(assertion: ET.Element, name: str) -> list[str]:
    return [
        "".join(value.itertext()).strip()
        for attribute in assertion.iter(f"{ASSERTION}Attribute")
        if attribute.get("Name") == ATTRIBUTES + name
        for value in attribute.iter(f"{ASSERTION}AttributeValue")
    ]


def _usable_until(assertion: ET.Element, now: datetime) -> datetime:
    issued = _time(assertion.get("IssueInstant")) or now
    ends = [
        issued + REDEEM_WITHIN,
        *_times(assertion, "Conditions", "NotOnOrAfter"),
        *_times(assertion, "SubjectConfirmationData", "NotOnOrAfter"),
    ]
    return min(ends)


def _times(assertion: ET.Element, element: str, attribute: str) -> list[datetime]:
    moments = (_time(found.get(attribute)) for found in assertion.iter(ASSERTION + element))
    return [moment for moment in moments if moment]


def _time(text: str | None) -> datetime | None:
    """An xs:dateTime; one without offset is UTC, as SAML demands; the last year is as good as none.

    Nothing can be added to a moment at the end of all time.
    """
    try:
        moment = datetime.fromisoformat((text or "").strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year < MAXYEAR else None
