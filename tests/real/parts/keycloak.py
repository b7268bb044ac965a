"""Keycloak as a SAML and OIDC identity provider for AWS on loopback.

One server for the whole machine: the first test that wants it starts it, the last one to leave
ends it. It comes from Maven Central and lies, unpacked and with its realm imported, in
`${XDG_CACHE_HOME:-~/.cache}/awslogin-tests`. What is in the realm is `keycloak_realm`.
Settings: https://www.keycloak.org/server/all-config.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock

from tests.real.parts import keycloak_realm as realm
from tests.real.parts import process
from tests.real.parts.keycloak_realm import PEOPLE, Person

VERSION = "26.7.3"
_ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
_SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "awslogin-tests"


@dataclass(frozen=True)
class Keycloak:
    """A running server with its realm."""

    port: int

    @property
    def origin(self) -> str:
        """Its address. A passkey needs the same under the name `localhost`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def entity_id(self) -> str:
        """The issuer of its assertions and of its tokens."""
        return f"{self.origin}/realms/{realm.NAME}"

    @property
    def url(self) -> str:
        """Where a sign-in to AWS starts."""
        return f"{self.entity_id}/protocol/saml/clients/{realm.IDP_INITIATED}"

    @property
    def people(self) -> dict[str, Person]:
        """The users that are always there; a one-time code of theirs is good once."""
        return {person.name: person for person in PEOPLE}

    @property
    def device_authorization_url(self) -> str:
        """Where the public client `realm.DEVICE_CLIENT` starts a device flow."""
        return f"{self.entity_id}/protocol/openid-connect/auth/device"

    @property
    def token_url(self) -> str:
        """Where clients get tokens."""
        return f"{self.entity_id}/protocol/openid-connect/token"

    def certificate_pem(self) -> str:
        """What its assertions are signed with."""
        descriptor = _fetched(f"{self.entity_id}/protocol/saml/descriptor").text
        _, _, rest = descriptor.partition("X509Certificate>")
        base64, _, _ = rest.partition("<")
        return f"-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n"

    def jwks(self) -> dict[str, Any]:
        """What its tokens are signed with, a JWK set."""
        keys: dict[str, Any] = _fetched(f"{self.entity_id}/protocol/openid-connect/certs").json()
        return keys

    def job_token(self) -> str:
        """A CI job's own token, a JWT whose audience is STS."""
        return self._token(realm.JOB_CLIENT)

    def add(self, person: Person) -> Person:
        """Add a user whom no other test knows: like this one, with a name of its own."""
        fresh = replace(person, name=f"{person.name}-{secrets.token_hex(4)}")
        reply = requests.post(
            f"{self.origin}/admin/realms/{realm.NAME}/partialImport",
            json={"ifResourceExists": "FAIL", "users": [fresh.representation()]},
            headers={"Authorization": f"Bearer {self._token(realm.ADMIN_CLIENT)}"},
            timeout=120,
        )
        assert reply.ok, reply.text
        return fresh

    def _token(self, client: str) -> str:
        fields = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": realm.SECRET,
        }
        reply = requests.post(self.token_url, data=fields, timeout=120)
        assert reply.ok, reply.text
        return str(reply.json()["access_token"])


@contextmanager
def running() -> Iterator[Keycloak]:
    """The machine's one Keycloak, started if nobody runs it yet."""
    folder = prepared()
    with (folder / "users").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)  # held as long as it is used; see `keeper`
        with FileLock(folder / "start.lock"):
            keycloak = _found(folder) or _started(folder)
        yield keycloak


def prepared() -> Path:
    """The folder with the realm's database; fetches, unpacks and imports what is missing.

    Raises:
        FileNotFoundError: Java or Maven is not installed.
        subprocess.CalledProcessError: The download or the import failed.
    """
    document = json.dumps(realm.representation(), indent=1)
    digest = hashlib.sha256(document.encode()).hexdigest()[:12]
    folder = _CACHE / f"realm-{VERSION}-{digest}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(_CACHE / "prepare.lock"):
        server = _unpacked()
        if not (folder / "database").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            (folder / "realm.json").write_text(document)
            _import(server, folder)
    return folder


def _unpacked() -> Path:
    server = _CACHE / f"keycloak-{VERSION}"
    if server.exists():
        return server
    archive = _CACHE / f"keycloak-quarkus-dist-{VERSION}.zip"
    if not archive.exists():
        subprocess.run(
            [
                process.program("mvn"),
                "--quiet",
                "--batch-mode",
                "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
                f"-Dartifact={_ARTIFACT}",
                f"-DoutputDirectory={_CACHE}",
            ],
            stdin=subprocess.DEVNULL,
            check=True,
        )
    with archive.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != _SHA256:
        archive.unlink()
        raise RuntimeError(f"{archive} is not Keycloak {VERSION}: SHA-256 {digest}")
    shutil.rmtree(unpacking := _CACHE / "unpacking", ignore_errors=True)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(unpacking)
    (unpacking / server.name).rename(server)
    unpacking.rmdir()
    archive.unlink()
    return server


def _import(server: Path, folder: Path) -> None:
    with (folder / "import.log").open("wb") as log:
        subprocess.run(
            ["sh", str(server / "bin/kc.sh"), "import", f"--file={folder / 'realm.json'}"],
            env=_environ(folder / "importing"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )
    (folder / "importing").rename(folder / "database")


def _environ(database: Path) -> dict[str, str]:
    options = "NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE"
    return process.clean_environ(
        JAVA_OPTS_APPEND="-XX:TieredStopAtLevel=1",
        KC_DB="dev-file",
        KC_DB_URL=f"jdbc:h2:file:{database}/keycloak;{options}",
        KC_CACHE="local",
    )


def _found(folder: Path) -> Keycloak | None:
    with contextlib.suppress(FileNotFoundError, requests.RequestException, AssertionError):
        keycloak = Keycloak(int((folder / "port").read_text()))
        _fetched(keycloak.entity_id)
        return keycloak
    return None


def _started(folder: Path) -> Keycloak:
    shutil.rmtree(database := folder / "running", ignore_errors=True)
    shutil.copytree(folder / "database", database)
    keycloak = Keycloak(process.free_port())
    words = [
        "sh",
        str(_unpacked() / "bin/kc.sh"),
        "start",
        "--optimized",  # what the import has built
        "--http-enabled=true",
        "--hostname-strict=false",
        "--http-host=127.0.0.1",
        f"--http-port={keycloak.port}",
    ]
    log = folder / "server.log"
    keeper = os.posix_spawn(  # not a Popen, which would have to be waited for
        sys.executable,
        [sys.executable, str(Path(__file__).with_name("keeper.py")), str(folder), *words],
        _environ(database),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    until = time.monotonic() + 180
    while True:
        with contextlib.suppress(requests.RequestException, AssertionError):
            _fetched(keycloak.entity_id)
            break
        if os.waitpid(keeper, os.WNOHANG)[0] or time.monotonic() > until:
            raise RuntimeError(f"Keycloak is not ready:\n{log.read_text()[-3000:]}")
        time.sleep(0.2)
    (folder / "port").write_text(str(keycloak.port))
    return keycloak


def _fetched(url: str) -> requests.Response:
    reply = requests.get(url, timeout=120)
    assert reply.ok, f"{url}: {reply.status_code}"
    return reply


if __name__ == "__main__":
    prepared()
