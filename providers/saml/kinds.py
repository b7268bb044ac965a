"""The kinds of identity provider: what each needs in the YAML, and where its file is.

Light to import: the config checks options with this table, and one kind alone is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind.

    Attributes:
        place: `module:class` in `idps/`.
        needs: Groups of options; one of the groups must be given whole.
        takes: Further options that this kind alone understands.
        password_hosts: Hosts of the provider itself that may receive the password.
    """

    place: str
    needs: tuple[tuple[str, ...], ...] = (("url",),)
    takes: tuple[str, ...] = ()
    password_hosts: tuple[str, ...] = ()


_BROWSERS = ("browser", "executable", "headless")
_BY_BROWSER = Kind("browser:BrowserIdp", takes=_BROWSERS)

KINDS = {
    "form": Kind("form:FormIdp", takes=("fields",)),
    "auto": Kind("form:FormIdp"),
    "keycloak": Kind("form:FormIdp"),
    "adfs": Kind("adfs:Adfs"),
    "shibboleth": Kind("shibboleth:Shibboleth"),
    "pingfederate": Kind("pingfederate:PingFederate"),
    "simplesamlphp": Kind("simplesamlphp:SimpleSamlPhp"),
    "okta": Kind("okta:Okta", takes=("client_id", "app_id")),
    "entra": Kind(
        "entra:Entra",
        needs=(("tenant", "app_id"), ("url",)),
        password_hosts=(
            "login.microsoftonline.com",
            "login.microsoftonline.us",
            "login.partner.microsoftonline.cn",
        ),
    ),
    "onelogin": Kind("onelogin:OneLogin", needs=(("url", "app_id", "subdomain", "client_id"),)),
    "browser": _BY_BROWSER,
    # By themselves, as far as that goes; else in a browser, which opens by itself.
    "authentik": Kind("authentik:Authentik", takes=_BROWSERS),
    "jumpcloud": Kind(
        "jumpcloud:JumpCloud",
        takes=_BROWSERS,
        password_hosts=("console.jumpcloud.com", "console.eu.jumpcloud.com"),
    ),
    "auth0": Kind("auth0:Auth0", takes=_BROWSERS),
    "akamai": Kind("akamai:Akamai", takes=_BROWSERS),
    "netiq": Kind("netiq:NetIq", takes=_BROWSERS),
    "pingone": Kind("pingone:PingOne", takes=_BROWSERS),
    # Asks for a captcha, and refuses what is no browser.
    "google": _BY_BROWSER,
}

READERS = (
    "entra_pages:EntraPages",
    "keycloak:KeycloakPages",
    "adfs:AdfsPages",
    "pingfederate:PingPages",
    "f5:F5Pages",
    "authentik:AuthentikPages",
    "auth0:Auth0Pages",
    "netiq:NetIqPages",
    "pingone:PingOnePages",
)
"""Who knows one provider's pages; the walk asks them in this order, whatever `idp` says."""

_LIKE_BROWSER = frozenset(
    name for name, kind in KINDS.items() if set(_BROWSERS) <= set(kind.takes)
) - {"browser"}
"""Kinds that may open one, which messages do not list."""

COMMON = frozenset({"idp", "username", "saml_provider_arn", "mfa", "hosts", "remember_password"})
"""Options that every kind takes."""


def problem(idp: str, given: set[str]) -> str | None:
    """What is missing or too much among the options that are given, or None."""
    kind = KINDS[idp]
    known = COMMON | set(kind.takes) | {name for group in kind.needs for name in group}
    for name in sorted(given - known):
        takers = [other for other in KINDS if name in _own(other) and other not in _LIKE_BROWSER]
        return f"`{name}` goes with `idp: {' or '.join(takers)}`, not with `{idp}`"
    if not any(given.issuperset(group) for group in kind.needs):
        groups = ", or ".join(" and ".join(f"`{name}`" for name in group) for group in kind.needs)
        return f"`idp: {idp}` needs {groups}"
    return None


def _own(idp: str) -> set[str]:
    kind = KINDS[idp]
    return {*kind.takes, *(name for group in kind.needs for name in group)}
