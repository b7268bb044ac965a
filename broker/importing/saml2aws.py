"""`saml2aws`: an account a section of `~/.saml2aws`. Its stored passwords stay where they are.

Source: saml2aws's README and `pkg/cfg/cfg.go`, version 2.36.19 (2025-05).
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from broker.importing import ini, saml_pages, values
from broker.importing.found import Found
from broker.importing.ini import Section
from broker.importing.reading import Here
from broker.paths import expanded, read_or_none
from broker.ports import go_keyring

KINDS = {
    "azuread": "entra",
    "adfs": "adfs",
    "adfs2": "adfs",
    "ping": "pingfederate",
    "okta": "okta",
    "onelogin": "onelogin",
    "keycloak": "keycloak",
    "shibboleth": "shibboleth",
    "f5apm": "auto",
    "jumpcloud": "jumpcloud",
    "authentik": "authentik",
    "akamai": "akamai",
    "auth0": "auth0",
    "netiq": "netiq",
    "pingone": "pingone",
    "browser": "browser",
    "googleapps": "browser",
}
"""saml2aws's provider in lower case → our `idp`."""
_NOTHING = {
    "pingntlm": "NTLM signs in with Windows' own password hash, which awslogin does not:"
    " `idp: browser` with an integrated browser does",
    "shibbolethecp": "the ECP profile posts the password in a header, which awslogin does not:"
    " `idp: shibboleth` with the web page of the same site does",
    "shell": "a command that prints an assertion: none of the tool's commands is run;"
    " a provider of type `process` runs one that prints credentials",
}
_BROWSERS = {"chromium": "chromium", "chrome": "chrome", "msedge": "edge", "edge": "edge"}
_USUAL = {"", "0", "false", "auto", "3", "1"}
"""Values that saml2aws writes where nothing was said."""
_REASONS = {
    "skip_verify": "TLS is always checked: name your authority in AWS_CA_BUNDLE",
    "timeout": "awslogin has time limits of its own",
    "http_attempts_count": "awslogin tries again by rules of its own",
    "http_retry_delay": "awslogin tries again by rules of its own",
    "credentials_file": "no session is written in plain text: `awslogin setup` serves the SDKs",
    "saml_cache": "an assertion is always kept, sealed, while it holds",
    "saml_cache_file": "an assertion is always kept, sealed, while it holds",
    "disable_remember_device": "a second factor is asked for when the provider asks",
    "disable_sessions": "the sign-in is kept sealed; `awslogin logout` drops it",
    "download_browser_driver": "an installed browser is used",
    "browser_driver_dir": "an installed browser is used",
    "browser_autofill": "the person types into the browser",
    "kc_auth_error_element": "Keycloak's messages are recognised",
    "kc_auth_error_message": "Keycloak's messages are recognised",
    "kc_broker": "choose it in the page's address: its `kc_idp_hint` parameter",
    "mfa_ip_address": "OneLogin sees the address that it is asked from",
    "target_url": "the assertion goes to AWS alone",
    "prompter": "awslogin asks on the terminal",
    "resource_id": "goes with F5APM alone",
    "subdomain": "goes with OneLogin alone",
    "app_id": "goes with OneLogin and AzureAD alone",
    "password": "a password belongs to no file: it is asked for, and kept in the keychain"
    " with `remember_password: true`",
}
_STORED = (
    "it stays in saml2aws's keychain, under the account's address: the first sign-in asks, and"
    " `remember_password: true` keeps it in ours"
)
_KNOWN = frozenset(
    {"name", "url", "username", "provider", "mfa", "aws_urn", "aws_session_duration"}
    | {"aws_profile", "role_arn", "policy_file", "policy_arn_list", "region"}
)


def look(here: Here) -> Found:
    """Every account of the file."""
    path = here.path("SAML2AWS_CONFIGFILE", "~/.saml2aws")
    found = Found(keys={"duration": "aws_session_duration", "policy_arns": "policy_arn_list"})
    text = found.text_of(path)
    if text is None:
        return found
    sections = ini.as_go_reads(text, path)
    accounts = {name or "default": given for name, given in sections.items() if given}
    stored = {*go_keyring.passwords(here.environ)}
    names = Counter(given.get("aws_profile") for given in accounts.values())
    for name, given in accounts.items():
        own = given.get("aws_profile") or ""
        alone = own not in {"", "saml", "default"} and names[own] == 1 and own not in accounts
        account = _Account(own if alone else name, given, found, here)
        account.translate()
        if given.get("url") in stored:
            found.leave_out(account.name, "password", _STORED)
    return found


class _Account:
    """One section on its way over."""

    def __init__(self, name: str, given: Section, found: Found, here: Here) -> None:
        self.name, self.given, self.found = name, given, found
        self.kind = given.get("provider", "").lower()
        self.here = here
        self.used = set(_KNOWN)

    def translate(self) -> None:
        """The sign-in and its profile, or why not."""
        if self.kind in _NOTHING:
            self._leave_out("provider", _NOTHING[self.kind])
            return
        idp = KINDS.get(self.kind)
        if idp is None:
            self._leave_out("provider", "none of saml2aws's kinds")
            return
        if not self.given.get("url"):
            self._leave_out("url", "without the identity provider's address")
            return
        options = self._options(idp)
        if options is None:
            return
        provider = self.found.provider("google" if self.kind == "googleapps" else idp, options)
        if self.kind == "googleapps":
            self._leave_out(
                "provider", "its pages need a real browser: it came over as `idp: browser`"
            )
        given = self.given
        self.found.add(
            self.name,
            {
                "role_arn": given.get("role_arn"),
                "region": given.get("region"),
                "duration": self._duration(),
                "policy": self._policy(),
                "policy_arns": values.comma_separated(given.get("policy_arn_list")),
            },
            provider=provider,
        )
        for key, value in given.items():
            if key not in self.used and value.lower() not in _USUAL:
                self._leave_out(key, _REASONS.get(key, "a setting that awslogin does not have"))

    def _options(self, idp: str) -> dict[str, object] | None:
        given = self.given
        kind = "f5" if self.kind == "f5apm" else idp
        fields = {
            "urn": given.get("aws_urn") or saml_pages.AWS,
            "app_id": given.get("app_id", ""),
            "resource_id": given.get("resource_id", ""),
        }
        options: dict[str, object] = {
            "type": "saml",
            "idp": idp,
            "url": saml_pages.start(kind, given["url"], **fields),
            "username": given.get("username"),
            "mfa": self._factor(),
        }
        if kind in {"entra", "f5"}:
            self.used.add("app_id" if kind == "entra" else "resource_id")
        if self.kind == "onelogin":
            self.used |= {"app_id", "subdomain"}
            client = self.here.environ.get("ONELOGIN_CLIENT_ID")
            if not client:
                self._leave_out(
                    "client_id",
                    "saml2aws keeps OneLogin's API client in its keychain: set"
                    " ONELOGIN_CLIENT_ID and import again, or write the provider by hand",
                )
                return None
            more = {"app_id": given.get("app_id"), "subdomain": given.get("subdomain")}
            options |= {"client_id": client, **more}
        if self.kind == "browser":
            options |= self._browser()
        return options

    def _browser(self) -> dict[str, object]:
        self.used |= {"browser_type", "browser_executable_path", "headless"}
        wanted = self.given.get("browser_type", "").lower()
        browser = _BROWSERS.get(wanted.split("-")[0])
        if wanted and not browser:
            self._leave_out("browser_type", "awslogin drives chromium, chrome and edge")
        headless = self.given.get("headless", "").lower() == "true"
        return {
            "username": None,
            "mfa": None,
            "browser": browser,
            "executable": self.given.get("browser_executable_path"),
            "headless": True if headless else None,
        }

    def _factor(self) -> str | None:
        mfa = self.given.get("mfa", "").lower()
        ours = saml_pages.FACTORS.get(mfa)
        if mfa not in saml_pages.ANY_FACTOR and not ours:
            self._leave_out("mfa", "awslogin has no such factor: the person chooses")
        return ours

    def _duration(self) -> str | None:
        given = self.given.get("aws_session_duration")
        if not given or given == "3600":
            return None
        found = values.duration(given)
        if not found:
            self._leave_out("aws_session_duration", "not a number of seconds")
        return found

    def _policy(self) -> object:
        """The session policy that the file holds, as JSON on one line."""
        path = self.given.get("policy_file")
        if not path:
            return None
        try:
            policy = json.loads(read_or_none(_absolute(path, self.here)) or b"")
        except (OSError, ValueError):
            self._leave_out("policy_file", "it holds no policy that can be read")
            return None
        return json.dumps(policy, separators=(",", ":"))

    def _leave_out(self, key: str, reason: str) -> None:
        self.found.leave_out(self.name, key, reason)


def _absolute(path: str, here: Here) -> Path:
    return here.folder / expanded(path)
