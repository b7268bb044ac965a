"""Microsoft Entra ID: where its sign-in starts. What its pages mean is `entra_pages`'.

Source: Microsoft's "Single sign-on SAML protocol" (AuthnRequest); SAML 2.0 bindings, 3.4.
"""

from __future__ import annotations

import base64
import uuid
import zlib
from html import escape
from urllib.parse import quote, urlencode, urlsplit

from broker.ports.clock import to_text
from providers.saml.idp import IdentityProvider
from providers.saml.walk import Walk, readers

PUBLIC_CLOUD = "https://login.microsoftonline.com"
_REQUEST = (
    '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"'
    ' ID="{id}" Version="2.0" IssueInstant="{now}" IsPassive="false" ForceAuthn="false">'
    '<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{issuer}</saml:Issuer>'
    "</samlp:AuthnRequest>"
)


class Entra(IdentityProvider):
    """Asks for the app by an AuthnRequest, or opens the start page."""

    def response(self) -> str:
        """Walk to the SAMLResponse."""
        start = self.start()
        self.ports.ui.progress(f"signing in at {urlsplit(start).netloc}")
        walk = Walk(
            self.ports,
            self.person,
            allowed=self.options.password_origins(),
            mfa=self.options.mfa,
            readers=readers(),
        )
        return walk.response(start)

    def start(self) -> str:
        """`url`, unless it names a cloud alone; else the app's AuthnRequest at that cloud."""
        url, tenant, app_id = self.options.url, self.options.tenant, self.options.app_id
        if url and (urlsplit(url).path.strip("/") or not (tenant and app_id)):
            return url
        cloud = (url or PUBLIC_CLOUD).rstrip("/")
        query = urlencode({"SAMLRequest": self._request(str(app_id))})
        return f"{cloud}/{quote(str(tenant), safe='')}/saml2?{query}"

    def _request(self, issuer: str) -> str:
        """The AuthnRequest, deflated and in base64; the app's own reply URL holds."""
        now = to_text(self.ports.clock.now())
        text = _REQUEST.format(id=f"_{uuid.uuid4().hex}", now=now, issuer=escape(issuer))
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return base64.b64encode(deflate.compress(text.encode()) + deflate.flush()).decode()
