"""What other tools need for a session that they have: each in its warm way, where it is on PATH.

aws-vault hands out a session that it keeps on the Secret Service (its default on Linux), and keys
from an encrypted file; saml2aws prints what its plain file holds; aws-sso, which has no session
without a sign-in of its own, only says its version.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import secretstorage
from jeepney.io.blocking import open_dbus_connection

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
        desktop = {
            **theirs,
            **bus,
            "AWS_VAULT_BACKEND": "secret-service",
            "AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME": "login",  # its own needs a dialog
        }
        _add(vault, desktop)
        _keep_session(bus["DBUS_SESSION_BUS_ADDRESS"])
        file = {**theirs, "AWS_VAULT_BACKEND": "file", "AWS_VAULT_FILE_PASSPHRASE": "of a bench"}
        _add(vault, file)
        export = [vault, "export", "--format=json", "dev"]
        yield [
            *cases,
            Case(SECRET_SERVICE, export, desktop),
            Case("aws-vault, encrypted file, keys", [*export, "--no-session"], file),
        ]


def _add(vault: str, env: dict[str, str]) -> None:
    subprocess.run([vault, "add", "dev", "--env"], env=env | _KEYS, check=True, capture_output=True)


def _keep_session(bus: str) -> None:
    """Leave a session as aws-vault does (its vault/sessionkeyring.go, keyring/secretservice.go)."""
    until = datetime.now(UTC) + timedelta(hours=1)
    name = f"sts.GetSessionToken,{b64encode(b'dev').decode().rstrip('=')},,{int(until.timestamp())}"
    session = {
        "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": _KEYS["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": "token" * 80,
        "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}",
    }
    item = {"Key": name, "Data": b64encode(json.dumps(session).encode()).decode()}
    with open_dbus_connection(bus) as link:
        secretstorage.get_default_collection(link).create_item(
            name, {"profile": name}, json.dumps(item).encode(), content_type="application/json"
        )
