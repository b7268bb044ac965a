"""`aws-azure-login`: the `azure_*` settings of profiles in `~/.aws/config`.

Source: aws-azure-login's README, `src/awsConfig.ts` and `src/login.ts` (2025-09): a variable of
the setting's name wins over the file.
"""

from __future__ import annotations

import re

from broker import aws_files
from broker.importing import ini, values
from broker.importing.aws_config import by_kind
from broker.importing.found import Found
from broker.importing.ini import Section
from broker.importing.reading import Here, text_of

_SETTINGS = """
azure_tenant_id azure_app_id_uri azure_default_username azure_default_role_arn
azure_default_duration_hours
"""
SETTINGS = tuple(_SETTINGS.split())
_ASKED = (
    "a password belongs to no file: it is asked for, and kept in the keychain with"
    " `remember_password: true`"
)


def look(here: Here) -> Found:
    """Every profile with a tenant and an app."""
    path = aws_files.config_path(here.environ)
    text = text_of(path)
    found = Found(
        keys={
            "role_arn": "azure_default_role_arn",
            "duration": "azure_default_duration_hours",
            "provider:saml": "azure_tenant_id",
        }
    )
    sections = {} if text is None else ini.as_go_reads(text, path)
    profiles = {
        name: given
        for name, given in by_kind(sections, "profile").items()
        if any(key.startswith("azure_") for key in given)
    }
    given = _from_environment(here)
    if not profiles and {"azure_tenant_id", "azure_app_id_uri"} <= given.keys():
        profiles = {here.environ.get("AWS_PROFILE") or "default": {}}
    if profiles and text is not None:
        found.files.append(path)
    elif profiles:
        found.files.append(here.folder)
    for name, section in profiles.items():
        _translate(name, {**section, **given}, found)
    return found


def _from_environment(here: Here) -> Section:
    found = {key: here.environ.get(key) or here.environ.get(key.upper()) for key in SETTINGS}
    return {key: value for key, value in found.items() if value}


def _translate(name: str, given: Section, found: Found) -> None:
    tenant, app = given.get("azure_tenant_id"), given.get("azure_app_id_uri")
    if not (tenant and app):
        missing = "azure_app_id_uri" if tenant else "azure_tenant_id"
        reason = f"there is no `{missing}`: nobody can sign in without it"
        found.leave_out(name, "azure_tenant_id", reason)
        return
    username = given.get("azure_default_username")
    provider = found.provider(
        "entra",
        {"type": "saml", "idp": "entra", "tenant": tenant, "app_id": app, "username": username},
    )
    hours = given.get("azure_default_duration_hours") or ""
    whole = re.fullmatch(r"\d{1,2}(?:\.\d+)?", hours)
    if hours and not whole:
        found.leave_out(name, "azure_default_duration_hours", "not a number of hours")
    found.add(
        name,
        {
            "role_arn": given.get("azure_default_role_arn"),
            "region": given.get("region"),
            "duration": values.duration(int(float(hours) * values.HOUR)) if whole else None,
        },
        provider=provider,
    )
    reasons = {
        "azure_default_password": _ASKED,
        "azure_default_remember_me": "the sign-in is kept sealed while it holds",
    }
    for key in given:
        if key not in {*SETTINGS, "region"}:
            usual = "another setting of this profile: `awslogin import aws-config` knows it"
            found.leave_out(name, key, reasons.get(key, usual))
