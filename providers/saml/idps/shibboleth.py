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
_RESPONSE = re.compile(r"<(?:(\w+):)?Response[\s>].*</(?:\1:)?Response>", re.DOTALL)


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
        pair = f"{self.person.username()}:{self.person.password().reveal()}"
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
            self.person.password_was_refused()
            raise LoginRefused(
                "the identity provider refused the password",
                hint="check the user name and the password",
            )
        found = _RESPONSE.search(reply.text)
        if not found:
            raise UnexpectedReply(
                f"{without_query(self.url)} answered {reply.status} without a SAML response",
                hint="give the sign-in page's address as `url`, or use `idp: browser`",
            )
        return base64.b64encode(found[0].encode()).decode()
