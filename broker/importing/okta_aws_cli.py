"""`okta-aws-cli`: the profiles of `~/.okta/okta.yaml`, its variables and its `.env` file.

Source: okta-aws-cli's README and `internal/config/config.go` (2.6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from broker.importing import values, yaml_text
from broker.importing.found import Found
from broker.importing.reading import Here, text_of
from broker.importing.yaml_text import mapping, plain
from broker.paths import expanded

VARIABLES = {
    "org-domain": ("OKTA_AWSCLI_ORG_DOMAIN", "OKTA_ORG_DOMAIN"),
    "oidc-client-id": ("OKTA_AWSCLI_OIDC_CLIENT_ID", "OKTA_OIDC_CLIENT_ID"),
    "aws-acct-fed-app-id": (
        "OKTA_AWSCLI_AWS_ACCOUNT_FEDERATION_APP_ID",
        "OKTA_AWS_ACCOUNT_FEDERATION_APP_ID",
    ),
    "aws-iam-idp": ("OKTA_AWSCLI_IAM_IDP",),
    "aws-iam-role": ("OKTA_AWSCLI_IAM_ROLE",),
    "aws-session-duration": ("OKTA_AWSCLI_SESSION_DURATION",),
    "aws-region": ("OKTA_AWSCLI_AWS_REGION",),
    "private-key-file": ("OKTA_AWSCLI_PRIVATE_KEY_FILE",),
    "private-key": ("OKTA_AWSCLI_PRIVATE_KEY",),
    "username": ("OKTA_AWSCLI_USERNAME",),
}
_USED = {*VARIABLES, "session-duration"} - {"private-key", "private-key-file", "username"}
_REASONS = {
    "password": "a password belongs to no file: it is asked for, and kept in the keychain",
    "username": "the browser asks for it",
    "aws-sts-role-session-name": "the assertion says the session's name",
    "write-aws-credentials": "no session is written in plain text: `awslogin setup` serves SDKs",
    "aws-credentials": "no session is written in plain text: `awslogin setup` serves SDKs",
    "all-profiles": "`awslogin discover --write` adds every role",
    "open-browser": "the browser opens by itself; --no-browser prints the address",
    "open-browser-command": "the browser opens by itself; --no-browser prints the address",
    "qr-code": "--no-browser prints the address",
    "format": "`--output` says the form",
    "exec": "`awslogin exec PROFILE -- CMD`",
    "cache-access-token": "the sign-in is kept sealed while it holds",
}
_OFF = frozenset({"", "false", "env-var"})


def look(here: Here) -> Found:
    """Every profile of the file; without one, the profile that the variables make."""
    found = Found(keys={"role_arn": "aws-iam-role", "duration": "aws-session-duration"})
    path = expanded("~/.okta/okta.yaml")
    text = text_of(path)
    data = mapping(yaml_text.parse(text, path)) if text is not None else {}
    cli = mapping(data.get("awscli"))
    profiles = {name: mapping(given) for name, given in mapping(cli.get("profiles")).items()}
    given = _from_environment(here, found)
    if cli:
        found.files.append(path)
    if not profiles and given.get("org-domain"):
        profiles = {here.environ.get("OKTA_AWSCLI_PROFILE") or "default": {}}
        found.files = found.files or [here.folder]
    for name, own in profiles.items():
        _translate(name, {**given, **_plain(own)}, found)
    for key in ("idps", "roles"):
        if mapping(cli.get(key)):
            found.leave_out("awscli", key, "labels for a menu: profiles have names of their own")
    return found


def _from_environment(here: Here, found: Found) -> dict[str, str]:
    """The variables, and those of a `.env` file that are not set."""
    path = here.folder / ".env"
    text = text_of(path) if path.is_file() else None
    file = dict(re.findall(r"(?m)^\s*(?:export\s+)?(OKTA_\w+)=[\"']?(.*?)[\"']?\s*$", text or ""))
    if file:
        found.files.append(path)
    found_values: dict[str, str] = {}
    for key, variables in VARIABLES.items():
        value = next((v for n in variables if (v := here.environ.get(n) or file.get(n))), None)
        if value:
            found_values[key] = value
    return found_values


def _plain(given: Mapping[str, Any]) -> dict[str, str]:
    return {key: text for key, value in given.items() if (text := plain(value))}


def _translate(name: str, given: dict[str, str], found: Found) -> None:
    if given.get("private-key") or given.get("private-key-file"):
        found.leave_out(
            name, "private-key", "a machine's own key (`m2m`): a CI signs in by `web-identity`"
        )
        return
    domain = given.get("org-domain", "").removeprefix("https://").split("/")[0]
    domain = domain.replace("-admin", "")
    app, client = given.get("aws-acct-fed-app-id"), given.get("oidc-client-id")
    missing = [
        key for key in ("org-domain", "oidc-client-id", "aws-acct-fed-app-id") if not given.get(key)
    ]
    if missing:
        found.leave_out(
            name,
            missing[0],
            f"without `{missing[0]}`, which `idp: okta` needs: set it and import again",
        )
        return
    arn = given.get("aws-iam-idp", "")
    provider = found.provider(
        "okta",
        {
            "type": "saml",
            "idp": "okta",
            "url": f"https://{domain}/home/amazon_aws/{app}/272",
            "client_id": client,
            "app_id": app,
            "saml_provider_arn": arn if arn.startswith("arn:") and "*" not in arn else None,
        },
    )
    role = given.get("aws-iam-role", "")
    is_pattern = bool(role) and not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+", role)
    duration = given.get("aws-session-duration") or given.get("session-duration")
    found.add(
        name,
        {
            "role_arn": None if is_pattern else role,
            "region": given.get("aws-region"),
            "duration": values.duration(duration) if duration != "3600" else None,
        },
        provider=provider,
    )
    if is_pattern:
        found.leave_out(name, "aws-iam-role", "a pattern of roles: `discover --write` adds them")
    for key, value in given.items():
        if key not in _USED and value.lower() not in _OFF:
            found.leave_out(name, key, _REASONS.get(key, "a setting that awslogin does not have"))
