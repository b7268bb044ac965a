"""The team's YAML of most tests: the profiles that a test names, with the providers they need.

    config("dev", "deploy")                       # keys of a user, and a role taken with them
    config("prod", "stage", sandbox=sandbox)      # at the sandbox's own identity providers
    config("dev", bad="provider: kyes")           # and profiles of the test's own
    config(providers={"ci": "type: …"}, deploy="provider: ci, …")

A value is what stands between an entry's braces, one entry a line. A test whose point is the file
itself (its lines, comments and mistakes) writes its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.sandbox import Sandbox

HEAD = "team: payments\ndefaults: {region: eu-west-1}\n"
KEYS = "type: static"
MFA = 'mfa_serial: "arn:aws:iam::111122223333:mfa/ann"'
PROFILES = {
    "dev": "provider: keys",
    "ann": f"provider: keys, {MFA}",
    "deploy": 'source: dev, role_arn: "arn:aws:iam::111122223333:role/Deploy"',
    "guarded": 'source: ann, role_arn: "arn:aws:iam::111122223333:role/MfaOnly"',
    "stage": 'provider: corp, account: "111122223333", role: Developer',
    "prod": 'provider: sso, account: "444455556666", role: Admin',
    "audit": 'source: prod, role_arn: "arn:aws:iam::777788889999:role/Audit", external_id: x',
}


def form(url: str, more: str = "username: ann") -> str:
    """A SAML provider whose sign-in is a plain form."""
    return f'type: saml, idp: form, url: "{url}", {more}'


def identity_center(start_url: str, more: str = "region: eu-west-1") -> str:
    """An Identity Center."""
    return f'type: identity-center, start_url: "{start_url}", {more}'


def config(
    *known: str,
    sandbox: Sandbox | None = None,
    providers: Mapping[str, str] | None = None,
    profiles: Mapping[str, str] | None = None,
    head: str = HEAD,
    **more: str,
) -> str:
    """A config file's text.

    Args:
        known: Names of `PROFILES`.
        sandbox: Whose identity providers `sso` and `corp` are.
        providers: The test's own, by name, beside those that the profiles need.
        profiles: The test's own, by name.
        head: The lines between `version` and `providers`.
        **more: Further profiles of the test's own, whose names Python takes.
    """
    wanted = {name: PROFILES[name] for name in known} | dict(profiles or {}) | more
    usual = {"keys": KEYS}
    if sandbox:
        usual |= {"sso": form(sandbox.idp.url), "corp": identity_center(sandbox.start_url)}
    used = {name for text in wanted.values() for name in re.findall(r"[\w-]+", text)}
    there = {name: text for name, text in usual.items() if name in used} | dict(providers or {})
    return f"version: 1\n{head}providers:\n{entries(there)}profiles:\n{entries(wanted)}"


def entries(texts: Mapping[str, str]) -> str:
    """Entries of `providers` or `profiles`, one a line."""
    return "".join(f"  {name}: {{{text}}}\n" for name, text in texts.items())
