"""SimpleSAMLphp: where its sign-in to AWS starts. Its pages need no rules of their own.

Source: simplesamlphp.org/docs, "IdP-first setup".
"""

from __future__ import annotations

from providers.saml.idps.form import FormIdp


class SimpleSamlPhp(FormIdp):
    """`url` is the IdP-first address, or the host where it is installed as packaged."""

    START = "/simplesaml/saml2/idp/SSOService.php?spentityid=urn:amazon:webservices"
