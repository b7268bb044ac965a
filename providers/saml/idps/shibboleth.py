"""Shibboleth: where its sign-in to AWS starts, and ECP, the profile for clients without a browser.

Its pages need no rules of their own. Source: SAML 2.0 profiles, section 4.2 (ECP); Shibboleth wiki,
"UnsolicitedSSOConfiguration".
"""

from __future__ import annotations

import base64
import re
import uuid
from urllib.parse import urlsplit

from broker.errors import LoginRefused, UnexpectedReply
from broker.ports.clock import to_text
from broker.ports.urls import without_query
from providers.saml.idps.form import FormIdp

_REQUEST = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_{id}"'
    ' Version="2.0" IssueInstant="{now}"'
    ' AssertionConsumerServiceURL="https://signin.aws.amazon.com/saml"'
    ' ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:PAOS">'
    '<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">urn:amazon:webservices'
    "</saml:Issuer></samlp:AuthnRequest></soap:Body></soap:Envelope>"
)
_START = re.compile(r"<(?:\w{1,64}:)?Response[\s>]")
_END = re.compile(r"</(?:\w{1,64}:)?Response\s*>")


class Shibboleth(FormIdp):
    """`url` is the unsolicited address, the host alone, or the ECP endpoint."""

    START = "/idp/profile/SAML2/Unsolicited/SSO?providerId=urn:amazon:webservices"

    def response(self) -> str:
        """Walk through the pages, or ask the ECP endpoint."""
        if urlsplit(self.url).path.endswith("/SAML2/SOAP/ECP"):
            return self._ecp()
        return super().response()

    def _ecp(self) -> str:
        """One request with HTTP Basic; the reply's bytes are kept, for they are signed."""
        self.ports.ui.progress(f"signing in at {urlsplit(self.url).netloc.rpartition('@')[2]}")
        request = _REQUEST.format(id=uuid.uuid4().hex, now=to_text(self.ports.clock.now()))
        pair = f"{self.person.username()}:{self.person.password(self.url).reveal()}"
        reply = self.ports.http.session().post(
            self.url,
            text=request,
            headers={
                "Content-Type": "text/xml; charset=utf-8",
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            },
            only_to=self.options.password_origins(),
        )
        if reply.status in {401, 403}:
            source = self.person.password_was_refused()
            raise LoginRefused(
                "the identity provider refused the password",
                hint=f"check the user name and the password{source}",
            )
        encoded = _response_in(reply.text)
        if not encoded:
            raise UnexpectedReply(
                f"{without_query(self.url)} answered {reply.status} without a SAML response",
                hint="give the sign-in page's address as `url`, or use `idp: browser`",
            )
        return encoded


def _response_in(envelope: str) -> str:
    """The SAML response of a SOAP envelope, in base64; empty where there is none."""
    start = _START.search(envelope)
    *_, end = None, *_END.finditer(envelope)
    if not (start and end):
        return ""
    return base64.b64encode(envelope[start.start() : end.end()].encode()).decode()
