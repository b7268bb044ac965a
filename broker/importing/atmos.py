"""`atmos`: the providers and identities of `auth` in `atmos.yaml`, chained by `via`.

Source: atmos's documentation "auth" and its `pkg/schema/schema_auth.go` (2026-08). A value that
atmos computes (`!env`) is none of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.importing import atmos_files, values
from broker.importing.found import Found
from broker.importing.reading import Here
from broker.importing.yaml_text import Tagged, mapping, plain

_DRIVERS = {
    "": "browser",
    "browser": "browser",
    "googleapps": "browser",
    "okta": "okta",
    "adfs": "adfs",
}
_IDENTITY = {"kind", "via", "principal", "credentials", "session", "provider"}
_REASONS = {
    "default": "say `default_profile: NAME` in our YAML",
    "required": "a profile is signed in when it is used",
    "alias": "a profile has one name",
    "env": "`awslogin exec` sets AWS's variables alone",
    "spec": "AWS_ENDPOINT_URL names another endpoint",
    "tags": "tags are pairs with us: `tags: {team: payments}`",
}


def look(here: Here) -> Found:
    """Every identity of AWS."""
    found = Found(keys={"role_arn": "assume_role", "source": "via"})
    auth = atmos_files.auth(here, found)
    atmos = _Auth(auth, found)
    for name in mapping(auth.get("providers")):
        atmos.provider(name)
    for name in mapping(auth.get("identities")):
        atmos.identity(name)
    return found


class _Auth:
    """The section `auth` on its way over."""

    def __init__(self, auth: Mapping[str, Any], found: Found) -> None:
        self._providers = mapping(auth.get("providers"))
        self._identities = mapping(auth.get("identities"))
        self._found = found
        self._ours: dict[str, str] = {}

    def provider(self, name: str) -> None:
        """One sign-in."""
        given = mapping(self._providers[name])
        kind = plain(given.get("kind")) or ""
        options = self._options(name, kind, given)
        if options is None:
            return
        self._ours[name] = self._found.provider(name, options, own=True)
        if plain(given.get("auto_provision_identities")) == "true":
            self._found.hints.append(f"awslogin discover {self._ours[name]} --write")
        if given.get("password") is not None:
            self._leave_out(name, "password", "a password belongs to no file: it is asked for")

    def _options(self, name: str, kind: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
        if kind == "aws/iam-identity-center":
            url = values.start_url(plain(given.get("start_url")) or "")
            return {
                "type": "identity-center",
                "start_url": url,
                "region": plain(given.get("region")),
            }
        if kind == "aws/saml":
            driver = (plain(given.get("driver")) or plain(given.get("provider_type")) or "").lower()
            idp = _DRIVERS.get(driver)
            if idp is None:
                self._leave_out(name, "driver", "a driver that awslogin does not know")
                return None
            username = None if idp == "browser" else plain(given.get("username"))
            page = plain(given.get("url"))
            return {"type": "saml", "idp": idp, "url": page, "username": username}
        if kind == "github/oidc":
            audience = plain(mapping(given.get("spec")).get("audience"))
            return {"type": "web-identity", "token": "github", "audience": audience}
        self._leave_out(name, "kind", f"{kind[:40]!r} signs in elsewhere than at AWS")
        return None

    def identity(self, name: str) -> None:
        """One profile."""
        given = mapping(self._identities[name])
        kind = plain(given.get("kind")) or ""
        if kind == "aws/permission-set":
            self._permission_set(name, given)
        elif kind == "aws/assume-role":
            self._assume_role(name, given)
        elif kind == "aws/user":
            self._user(name, given)
        else:
            reasons = {
                "aws/assume-root": "AssumeRoot's session is bound to one task: use the AWS CLI's"
                " `aws sts assume-root` under `awslogin exec`",
                "aws/ambient": "whatever the machine holds already needs no sign-in",
            }
            usual = f"{kind[:40]!r} signs in elsewhere than at AWS"
            self._leave_out(name, "kind", reasons.get(kind, usual))
            return
        for key in given:
            if key not in _IDENTITY:
                self._leave_out(name, key, _REASONS.get(key, "a setting that awslogin has not"))

    def _permission_set(self, name: str, given: Mapping[str, Any]) -> None:
        via = plain(mapping(given.get("via")).get("provider")) or plain(given.get("provider"))
        principal = mapping(given.get("principal"))
        account = plain(mapping(principal.get("account")).get("id"))
        provider = self._ours.get(via or "")
        if provider is None:
            self._leave_out(name, "via", "its provider did not come over")
        elif not account:
            self._found.hints.append(f"awslogin discover {provider} --write")
            self._leave_out(
                name,
                "principal",
                "its account has a name and no id: `discover --write` adds it by its id",
            )
        else:
            role = plain(principal.get("name")) or plain(principal.get("permission_set"))
            reached = {"account": account, "role": role}
            self._found.add(name, {**reached, **self._region(principal)}, provider=provider)
            if given.get("session"):
                self._leave_out(name, "session", "Identity Center decides how long it lasts")

    def _assume_role(self, name: str, given: Mapping[str, Any]) -> None:
        via, principal = mapping(given.get("via")), mapping(given.get("principal"))
        session = mapping(given.get("session"))
        profile = {
            "role_arn": plain(principal.get("assume_role")),
            "session_name": plain(principal.get("session_name")),
            "external_id": plain(principal.get("external_id")),
            "duration": values.go_duration(principal.get("duration") or session.get("duration")),
            **self._region(principal),
        }
        source, provider = plain(via.get("identity")), plain(via.get("provider"))
        if source:
            self._found.add(name, profile, source=source)
        elif provider in self._ours:
            self._found.add(name, profile, provider=self._ours[provider])
        else:
            self._leave_out(name, "via", "its provider did not come over")

    def _user(self, name: str, given: Mapping[str, Any]) -> None:
        credentials = mapping(given.get("credentials"))
        mfa = credentials.get("mfa_arn")
        provider = self._found.provider("keys", {"type": "static"})
        duration = values.go_duration(mapping(given.get("session")).get("duration"))
        self._found.add(
            name,
            {"mfa_serial": plain(mfa), "duration": duration, **self._region(credentials)},
            provider=provider,
        )
        if isinstance(mfa, Tagged):
            self._leave_out(name, "mfa_arn", f"computed by {mfa}: write it into our YAML")
        self._leave_out(
            name, "credentials", f"keys go to the keychain: `awslogin add {name}`; without keys a"
            " provider of type `aws-login` signs in in the browser"
        )  # fmt: skip

    @staticmethod
    def _region(principal: Mapping[str, Any]) -> dict[str, Any]:
        return {"region": plain(principal.get("region"))}

    def _leave_out(self, name: str, key: str, reason: str) -> None:
        self._found.leave_out(name, key, reason)
