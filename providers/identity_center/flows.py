"""The two ways of a new sign-in: PKCE where a browser reaches this machine, else a device code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.ports import Ports
from broker.ports.authorization_code import code_by_browser
from broker.ports.device_flow import Pace, poll, show_code
from providers.identity_center.oidc import Client, Oidc, UnknownClientError
from providers.identity_center.options import IdentityCenterOptions

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

Granted = tuple[Mapping[str, Any], Client]
"""CreateToken's reply, and the registration that it belongs to."""


def sign_in(options: IdentityCenterOptions, oidc: Oidc, ports: Ports) -> Granted:
    """A new sign-in by the person.

    Raises:
        LoginRefused: Denied, or nobody confirmed it in time.
    """
    if not is_by_browser(options, ports):
        return by_device(oidc, ports)
    try:
        return by_browser(options, oidc, ports)
    except BaseException:  # the page may have refused the registration, which nobody tells us
        oidc.forget_registration("pkce")
        raise


def is_by_browser(options: IdentityCenterOptions, ports: Ports) -> bool:
    """Whether a sign-in needs no more of the person than a browser of this machine."""
    if options.flow == "auto":
        return ports.ui.browser_is_here
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
    show_code(ports, address, started["userCode"])

    def ask() -> Mapping[str, Any]:
        return oidc.create_token(client, grantType=DEVICE_GRANT, deviceCode=started["deviceCode"])

    pace = Pace.of(started.get("interval"), started.get("expiresIn"))
    return poll(ports.clock, ask, pace), client


def by_browser(options: IdentityCenterOptions, oidc: Oidc, ports: Ports) -> Granted:
    """Open the browser, and take the code that it brings back to a port of this machine."""
    client = oidc.registered("pkce")
    returned = code_by_browser(
        ports,
        lambda redirect, state, challenge: oidc.authorize_url(client, redirect, state, challenge),
        port=options.callback_port,
        without_browser=", or with --no-browser for a code",
    )
    reply = oidc.create_token(
        client,
        grantType="authorization_code",
        code=returned.code.reveal(),
        redirectUri=returned.redirect_uri,
        codeVerifier=returned.verifier.reveal(),
    )
    return reply, client
