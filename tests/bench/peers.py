"""What other tools need for a session that they have: each in its warm way, where it is on PATH.

aws-vault hands out keys of its store, on the Secret Service (its default on Linux) and from an
encrypted file; saml2aws prints what its plain file holds; aws-sso, which has no session without its
own sign-in, only says its version.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.measure import Case
from tests.real.parts import secret_service

SECRET_SERVICE = "aws-vault, Secret Service"
_KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
_SAML2AWS = """\
[default]
url = https://idp.example
username = ann
provider = KeyCloak
mfa = Auto
aws_profile = saml
"""
_SAML = """\
[saml]
aws_access_key_id = ASIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
aws_session_token = token
x_security_token_expires = 2099-01-01T00:00:00+00:00
"""


@contextmanager
def peers(folder: Path, env: Mapping[str, str]) -> Iterator[list[Case]]:
    """Their commands, in a home of their own.

    Args:
        folder: Where that home is made.
        env: The environment that all commands of the comparison share.
    """
    home = folder / "peers"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "config").write_text("[profile dev]\nregion = eu-west-1\n")
    (home / ".aws" / "credentials").write_text(_SAML)
    (home / ".saml2aws").write_text(_SAML2AWS)
    theirs = {name: value for name, value in env.items() if not name.startswith("AWS")}
    theirs["HOME"] = str(home)
    vault, saml2aws, sso = (shutil.which(name) for name in ("aws-vault", "saml2aws", "aws-sso"))
    cases = []
    if saml2aws:
        words = [saml2aws, "login", "--credential-process", "--skip-prompt"]
        cases.append(Case("saml2aws, plain file", words, theirs))
    if sso:
        cases.append(Case("aws-sso version", [sso, "version"], theirs))
    if not vault:
        yield cases
        return
    with secret_service.unlocked(folder / "bus") as bus:
        yield [
            *cases,
            _vault(SECRET_SERVICE, vault, {**theirs, **bus, "AWS_VAULT_BACKEND": "secret-service"}),
            _vault("aws-vault, encrypted file", vault, {**theirs, "AWS_VAULT_BACKEND": "file"}),
        ]


def _vault(name: str, vault: str, env: dict[str, str]) -> Case:
    """Keys in its store: with a session it would read one entry more.

    A collection of its own, which is its default, is made by a dialog alone; `login` is there.
    """
    env["AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME"] = "login"
    env["AWS_VAULT_FILE_PASSPHRASE"] = "correct horse battery staple"
    subprocess.run([vault, "add", "dev", "--env"], env=env | _KEYS, check=True, capture_output=True)
    return Case(name, [vault, "export", "--no-session", "--format=json", "dev"], env)
