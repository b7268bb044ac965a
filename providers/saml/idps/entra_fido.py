"""Microsoft Entra ID by a security key instead of the password, where `mfa: webauthn` asks for it.

Microsoft's sign-in page hands its challenge to a page of `login.microsoft.com`, in whose name keys
are registered; what it signs goes back. Source: what those pages' scripts post, as
nathanmcnulty/nathanmcnulty, `Entra/passkeys/PasskeyLogin.ps1` (2026), has it.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from broker.errors import LoginRefused
from broker.ports.http import Reply
from broker.ports.urls import host_of, is_loopback, origin
from broker.ports.webauthn import KeyChallenge
from providers.saml import api, script, webauthn
from providers.saml.api import Answer
from providers.saml.idps.entra_config import Config
from providers.saml.refusals import needs_browser
from providers.saml.walk import Walk

_SIGNERS = {"https://login.microsoftonline.com:443": "https://login.microsoft.com:443"}
"""Whose challenges are signed in whose name; other clouds' are not known to us."""
_USUAL = "https://login.microsoft.com/common/fido/get?uiflavor=Web"


def is_offered(config: Config, known: Answer) -> bool:
    """Whether the user has a key, and the page a challenge for it."""
    return bool(api.at(known, "Credentials", "HasFido") and config.text("sFidoChallenge"))


def signed_in(walk: Walk, config: Config, known: Answer, user: str) -> Reply:
    """The page that the key's signature leads to.

    Args:
        walk: Where the page was met.
        config: The sign-in page.
        known: What Microsoft says of the user's credentials.
        user: Who signs in.

    Raises:
        LoginRefused: The key does not sign, or Microsoft asks again.
        NeedsBrowserError: The page is not one for whose challenge we let a key sign.
    """
    walk.factors_taken += 1
    if walk.factors_taken > 1:
        raise LoginRefused("Microsoft does not take the security key", hint="`idp: browser`")
    address = config.url("urlFidoLogin") or _USUAL
    _require_signer(config.base, address)
    allowed = api.at(known, "Credentials", "FidoParams", "AllowList")
    ids = [str(key_id) for key_id in allowed] if isinstance(allowed, list) else []
    token = str(known.get("FlowToken") or config.text("sFT"))
    asking = walk.http.post(
        address,
        form={
            "allowedIdentities": "2",
            "canary": token,
            "ServerChallenge": token,
            "postBackUrl": config.required("urlPost"),
            "postBackUrlAad": config.url("urlPostAad"),
            "postBackUrlMsa": config.url("urlPostMsa"),
            "cancelUrl": config.url("urlRefresh"),
            "resumeUrl": config.url("urlResume"),
            "correlationId": config.text("correlationId"),
            "credentialsJson": ",".join(ids),
            "ctx": config.text("sCtx"),
            "username": user,
            "loginCanary": config.text("canary"),
        },
        only_to={origin(address)},
    )
    page = Config(asking.url, script.config(asking.text) or {})
    challenge = KeyChallenge(
        page=address,
        challenge=config.text("sFidoChallenge").encode(),
        rp_id=urlsplit(address).hostname or "",
        credentials=[key_id for key_id in map(webauthn.unpacked, ids) if key_id],
        verification="required",
    )
    answer = walk.ports.security_keys.answer(challenge, walk.ports.ui)
    response = webauthn.credential(answer)["response"]
    assertion = {"id": webauthn.packed(answer.credential), **response}
    fields = {
        "type": "23",
        "ps": "23",
        "assertion": json.dumps(assertion),
        "lmcCanary": page.text("sCrossDomainCanary"),
        "hpgrequestid": page.text("sessionId"),
        "ctx": page.text("sCtx"),
        "canary": page.text("canary"),
        "flowToken": page.text("sFT"),
    }
    site = {origin(config.base)}
    return walk.http.post(config.required("urlPost"), form=fields, only_to=site)


def _require_signer(page: str, address: str) -> None:
    """A page that only looks like Microsoft's must not pass Microsoft's challenge on to us."""
    asks, signs = origin(page), origin(address)
    here = is_loopback(urlsplit(page).hostname) and asks == signs
    if not here and _SIGNERS.get(asks) != signs:
        raise needs_browser(
            page, f"wants a key's signature by {host_of(address)}, which awslogin lets no key do"
        )
