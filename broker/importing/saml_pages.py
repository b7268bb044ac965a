"""Where other tools' SAML settings start with us: idp kind, address, second factor.

Source: saml2aws's `pkg/provider/*` (which address each kind opens first) and its README.
"""

from __future__ import annotations

from collections.abc import Mapping

AWS = "urn:amazon:webservices"

STARTS = {
    "adfs": "{url}/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp={urn}",
    "pingfederate": "{url}/idp/startSSO.ping?PartnerSpId={urn}",
    "shibboleth": "{url}/idp/profile/SAML2/Unsolicited/SSO?providerId={urn}",
    "entra": "{url}/applications/redirecttofederatedapplication.aspx"
    "?Operation=LinkedSignIn&applicationId={app_id}",
    "f5": "{url}/saml/idp/res?id={resource_id}",
}
"""What is added to an identity provider's address where that is no page yet."""

FACTORS: Mapping[str, str] = {
    "push": "push",
    "totp": "totp",
    "token:software:totp": "totp",
    "okta": "totp",
    "sms": "sms",
    "email": "email",
    "call": "call",
    "token:hardware": "token",
    "token": "token",
    "yubico token:hardware": "token",
    "yubikey": "token",
    "symantec": "token",
    "fido": "webauthn",
    "webauthn": "webauthn",
    "olp": "push",
    "phoneappotp": "totp",
    "phoneappnotification": "push",
    "onewaysms": "sms",
}
"""Another tool's word for a second factor, in lower case → ours."""
ANY_FACTOR = frozenset({"", "auto", "none"})


def start(kind: str, url: str, **fields: str) -> str:
    """The page that the sign-in starts at."""
    is_page = kind not in STARTS or any(
        mark in url for mark in ("IdpInitiatedSignOn", "startSSO.ping", "/SAML2/", "?")
    )
    return url if is_page else STARTS[kind].format(url=url.rstrip("/"), **fields)
