"""`gimme-aws-creds`: a profile a section of `~/.okta_aws_login_config`.

Source: gimme-aws-creds's README and `config.py` (2.8): Python's ConfigParser, `[DEFAULT]` and
`inherits` bring settings in.
"""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from broker.importing import saml_pages, values
from broker.importing.found import Found
from broker.importing.ini import Section
from broker.importing.reading import Here, wrong

APP_ID = re.compile(r"/home/[\w-]+/([\w-]+)(?:/|$)|/app/[\w-]+/([\w-]+)/")
_IN_A_BROWSER = frozenset({"web", "passcode", "claims_provider", "duo", "u2f", "webauthn"})
_USED = frozenset(
    {"okta_org_url", "app_url", "client_id", "okta_username", "preferred_mfa_type", "aws_rolename"}
    | {"aws_default_duration", "cred_profile", "inherits", "force_classic", "gimme_creds_server"}
)
_USUAL = frozenset({"", "n", "false", "export", "none", "role"})
_REASONS = {
    "write_aws_creds": "no session is written in plain text: `awslogin setup` serves the SDKs",
    "output_format": "`--output` says the form",
    "resolve_aws_alias": "profiles have names of their own",
    "include_path": "profiles have names of their own",
    "remember_device": "a second factor is asked for when Okta asks",
    "device_token": "a secret of this device: a new sign-in gets its own",
    "enable_keychain": "`remember_password: true` of the provider keeps the password",
    "open_browser": "the browser opens by itself; --no-browser prints the address",
    "aws_appname": "`app_url` says the app",
    "okta_auth_server": "goes with a gimme-creds-lambda",
    "preferred_mfa_provider": "`mfa` of the provider takes the factor's own name too",
    "duo_universal_factor": "Duo needs a real browser: `idp: browser`",
}


def look(here: Here) -> Found:
    """Every profile that names an app."""
    path = here.path("OKTA_CONFIG", "~/.okta_aws_login_config")
    found = Found(keys={"role_arn": "aws_rolename", "duration": "aws_default_duration"})
    text = found.text_of(path)
    if text is None:
        return found
    sections = _read(text, path)
    bases = {given["inherits"] for given in sections.values() if given.get("inherits")}
    for name in sections:
        whole = _whole(name, sections, found)
        is_base = name in bases and not sections[name].get("aws_rolename")
        if is_base and _is_part(whole):
            found.leave_out(name, "", "settings that others inherit: written out in those")
        else:
            _translate(name, whole, found, here)
    return found


def _read(text: str, path: Path) -> dict[str, Section]:
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
        sections = {name: dict(parser[name]) for name in parser.sections()}
        default = dict(parser["DEFAULT"])
    except configparser.InterpolationError:
        raise wrong(path, None, "has a `%` that ConfigParser takes for a variable") from None
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        if line is None and isinstance(error, configparser.ParsingError) and error.errors:
            line = error.errors[0][0]
        raise wrong(path, line, "is not a file that gimme-aws-creds reads") from None
    if default.get("okta_org_url") or default.get("app_url"):
        sections = {"DEFAULT": default, **sections}
    return sections


def _whole(name: str, sections: dict[str, Section], found: Found) -> Section:
    whole, at, seen = dict(sections[name]), name, {name}
    while base := sections[at].get("inherits"):
        if base in seen or base not in sections:
            found.leave_out(name, "inherits", f"there is no section [{base[:60]}] to inherit from")
            break
        seen.add(base)
        whole = {**sections[base], **whole}
        at = base
    return whole


def _is_part(given: Section) -> bool:
    return not (given.get("app_url") and given.get("aws_rolename"))


def _translate(name: str, given: Section, found: Found, here: Here) -> None:
    url = given.get("app_url", "")
    if not url:
        reason = "without `app_url`: set it to the app's embed link and import again"
        found.leave_out(name, "app_url", reason)
        return
    username = given.get("okta_username") or here.environ.get("OKTA_USERNAME")
    classic = given.get("force_classic", "").lower() in {"", "true", "y"}
    app = APP_ID.search(url)
    engine = {"client_id": given.get("client_id"), "app_id": app and (app.group(1) or app.group(2))}
    is_engine = bool(not classic and all(engine.values()))
    provider = found.provider(
        "okta",
        {
            "type": "saml",
            "idp": "okta",
            "url": url,
            "username": None if is_engine else username,
            "mfa": None if is_engine else _factor(name, given, found),
            **(engine if is_engine else {}),
        },
    )
    roles = values.comma_separated(given.get("aws_rolename"))
    duration = given.get("aws_default_duration") or ""
    profile = {"duration": values.duration(duration) if duration != "3600" else None}
    own = "default" if name == "DEFAULT" else name
    named = [role for role in roles if role.startswith("arn:")]
    for role in named:
        last = role.rpartition("/")[2]
        found.add(own if len(named) == 1 else f"{own}-{last}", {"role_arn": role, **profile},
                  provider=provider)  # fmt: skip
    if not named:
        found.add(own, profile, provider=provider)
        if roles:
            found.hints.append(f"awslogin discover {provider} --write")
            found.leave_out(own, "aws_rolename", "`all` or a pattern: `discover --write` adds them")
    elif len(named) < len(roles):
        found.leave_out(own, "aws_rolename", "a pattern of roles: `discover --write` adds them")
    for key, value in given.items():
        if key not in _USED and value.lower() not in _USUAL:
            found.leave_out(own, key, _REASONS.get(key, "a setting that awslogin does not have"))


def _factor(name: str, given: Section, found: Found) -> str | None:
    wanted = given.get("preferred_mfa_type", "").lower()
    if wanted in _IN_A_BROWSER:
        reason = "it needs a real browser: `idp: browser` has it"
        found.leave_out(name, "preferred_mfa_type", reason)
        return None
    return saml_pages.FACTORS.get(wanted)
