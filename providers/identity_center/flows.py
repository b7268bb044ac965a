"""The two ways of a new sign-in: PKCE where a browser reaches this machine, else a device code.

Source: RFC 7636 (PKCE), RFC 8252 (loopback redirection), RFC 8628 (device grant).
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from typing import Any

from broker.errors import AwsLoginError, LoginRefused, NetworkError, UnexpectedReply
from broker.ports import Ports
from broker.ports.browser_reachability import browser_is_here, in_wsl
from broker.ports.urls import require_safe
from broker.secret import Secret
from providers.identity_center.oidc import Client, NotYetError, Oidc, UnknownClientError, denied
from providers.identity_center.options import IdentityCenterOptions

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
BROWSER_PATIENCE = 600.0
INTERVAL, CODE_LIFE = 5.0, 600.0
"""Seconds, where the service does not say them (RFC 8628 section 3.2)."""
SILENCE = 20.0
"""Seconds without an answer after which polling gives up; a failure before that is passed over."""

Granted = tuple[Mapping[str, Any], Client]
"""CreateToken's reply, and the registration that it belongs to."""


def sign_in(options: IdentityCenterOptions, oidc: Oidc, ports: Ports) -> Granted:
    """A new sign-in by the person.

    Raises:
        LoginRefused: Denied, or nobody confirmed it in time.
    """
    return by_browser(options, oidc, ports) if _pkce(options, ports) else by_device(oidc, ports)


def _pkce(options: IdentityCenterOptions, ports: Ports) -> bool:
    if options.flow == "auto":
        return ports.ui.may_browse and browser_is_here(os.environ)
    return options.flow == "pkce"


def by_device(oidc: Oidc, ports: Ports) -> Granted:
    """Show a code, and ask until the person has confirmed it on any machine."""
    client = oidc.registered("device")
    try:
        started = oidc.start_device(client)
    except UnknownClientError:
        client = oidc.registered("device")
        started = oidc.start_device(client)
    address = started.get("verificationUriComplete") or started["verificationUri"]
    require_safe(address)
    ports.ui.show(f"Sign in at {address}\nand check that it shows the code {started['userCode']}")
    if browser_is_here(os.environ) or in_wsl(os.environ):
        ports.ui.browse(address)
    return _polled(oidc, ports, client, started), client


def _polled(
    oidc: Oidc, ports: Ports, client: Client, started: Mapping[str, Any]
) -> Mapping[str, Any]:
    """CreateToken's reply, asked for until the person has decided or the code's life is over."""
    clock = ports.clock
    asked = float(started.get("interval") or INTERVAL)
    interval = asked if asked > 0 else INTERVAL
    answered = clock.monotonic()
    end = answered + float(started.get("expiresIn") or CODE_LIFE)
    while clock.monotonic() + interval < end:
        clock.sleep(interval)
        try:
            return oidc.create_token(
                client, grantType=DEVICE_GRANT, deviceCode=started["deviceCode"]
            )
        except NotYetError as not_yet:
            interval += not_yet.slower
            answered = clock.monotonic()
        except NetworkError:
            if clock.monotonic() - answered > max(SILENCE, 2 * interval):
                raise
    clock.sleep(max(0.0, end - clock.monotonic()))
    raise LoginRefused("nobody confirmed the sign-in before its code expired", hint="run it again")


def by_browser(options: IdentityCenterOptions, oidc: Oidc, ports: Ports) -> Granted:
    """Open the browser, and take the code that it brings back to a port of this machine."""
    from broker.ports.loopback import LoopbackListener

    client = oidc.registered("pkce")
    state, verifier = secrets.token_urlsafe(32), Secret(secrets.token_urlsafe(64))
    digest = hashlib.sha256(verifier.reveal().encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    with LoopbackListener(state, options.callback_port, ports.ui.waiting) as listener:
        address = oidc.authorize_url(client, listener.url, state, challenge)
        ports.ui.show(f"Sign in in the browser; if none opens, go to\n{address}")
        ports.ui.browse(address)
        answer = listener.wait(BROWSER_PATIENCE)
    if answer is None:
        raise LoginRefused(
            "nobody finished the sign-in in the browser",
            hint="run it again, or with --no-browser for a code",
        )
    if "code" not in answer:
        raise _browser_said(answer)
    reply = oidc.create_token(
        client,
        grantType="authorization_code",
        code=Secret(answer["code"]).reveal(),
        redirectUri=listener.url,
        codeVerifier=verifier.reveal(),
    )
    return reply, client


def _browser_said(answer: Mapping[str, str]) -> AwsLoginError:
    """What a redirect without a code means (RFC 6749 section 4.1.2.1)."""
    error = answer.get("error", "")
    said = answer.get("error_description", "")
    if error == "access_denied":
        return denied(said)
    words = f"the sign-in page failed: {' '.join((said or error or 'it brought no code').split())}"
    if error in {"server_error", "temporarily_unavailable"}:
        return NetworkError(words, hint="try again later")
    return UnexpectedReply(words, hint="run it again, or with --no-browser for a code")
