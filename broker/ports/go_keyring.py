"""What aws-vault and saml2aws keep in a Secret Service or in `pass`. Owns how it lies there.

Nothing is written or removed. Source: github.com/byteness/keyring (99designs/keyring before) and
go-libsecret: a collection of its own, an item a name, `{"profile": NAME}` as attribute, JSON with
`Data` in base64; in `pass` an entry a name with the same JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from broker.errors import KeychainError
from broker.paths import expanded
from broker.ports.command import OutputTooLongError, run_for_output
from broker.ports.deadline import TimeIsUpError, within
from broker.secret import Secret

PATIENCE = 5.0
"""Seconds that a Secret Service may take to say what it holds."""
PATIENCE_WITH_A_PERSON = 120.0
"""Seconds for `pass`: GnuPG may ask for a passphrase."""
_SESSION = re.compile(r"[^,]+,[^,]+,[^,]*,\d+|session:.*|session,.*|oidc:.*|.* session \(\d+\)")
"""Names of cached sessions and tokens, in aws-vault's old and new forms."""

_UNREAD = (
    "its keys are in the `{}` backend, which awslogin does not read:"
    " `aws-vault exec --no-session NAME -- env` shows them, `awslogin add NAME` takes them"
)

T = TypeVar("T")


@dataclass(frozen=True)
class Names:
    """What the keychain holds.

    Attributes:
        names: Profiles, sorted.
        is_whole: These are all: the keychain was asked.
        problem: Why the keys cannot be read; empty where they can, or where nobody said that there
            is a keychain.
    """

    names: list[str] = field(default_factory=list)
    is_whole: bool = False
    problem: str = ""


def names(environ: Mapping[str, str]) -> Names:
    """The profiles whose keys aws-vault holds; nothing is unlocked and no secret is read."""
    backend = environ.get("AWS_VAULT_BACKEND") or ""
    files = _file_names(expanded(environ.get("AWS_VAULT_FILE_DIR") or "~/.awsvault/keys"))
    try:
        if backend == "pass":
            return Names(
                _without_sessions(_pass_names(_store(environ), _prefix(environ))), is_whole=True
            )
        if backend in {"", "secret-service"}:
            return Names(
                _without_sessions(_in_time(lambda: _labels(_vault(environ)))), is_whole=True
            )
    except KeychainError as error:
        if backend or not files:
            return Names(problem=error.message if backend else "")
    held = _without_sessions(files) if backend in {"", "file"} else []
    return Names(held, is_whole=bool(held), problem=_UNREAD.format(backend or "file"))


def key_of(name: str, environ: Mapping[str, str]) -> tuple[str, Secret]:
    """The access key id and its secret.

    Raises:
        KeychainError: There are none of this name, or the keychain is locked or silent.
    """
    if environ.get("AWS_VAULT_BACKEND") == "pass":
        item = _shown(name, environ)
    else:
        item = _in_time(lambda: _secret(name, _vault(environ)))
    try:
        data = json.loads(base64.b64decode(json.loads(item)["Data"]))
        return str(data["AccessKeyID"]), Secret(str(data["SecretAccessKey"]))
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise KeychainError(f"aws-vault's entry of {name} is not in the form it writes") from None


def passwords(environ: Mapping[str, str]) -> list[str]:
    """The addresses for which saml2aws holds a password; no secret is read."""
    backend = environ.get("SAML2AWS_KEYRING_BACKEND") or ""
    try:
        if backend == "pass":
            return _pass_names(_store(environ), "saml2aws")
        if backend in {"", "secret-service"}:
            return _in_time(lambda: _labels("login"))
    except KeychainError:
        return []
    return []


def _without_sessions(names: list[str]) -> list[str]:
    """The names of keys, sorted and each once, without those of aws-vault's cached sessions."""
    return sorted(name for name in {*names} if not _SESSION.fullmatch(name))


def _in_time(work: Callable[[], T]) -> T:
    """The work's result.

    Raises:
        KeychainError: The Secret Service is silent, locked or not there.
    """
    try:
        return within(PATIENCE, work)
    except TimeIsUpError:
        raise KeychainError("the Secret Service does not answer") from None


def _labels(collection: str) -> list[str]:
    return [str(item.get_label()) for item in _collection(collection).get_all_items()]


def _vault(environ: Mapping[str, str]) -> str:
    """The name of aws-vault's own collection."""
    return environ.get("AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME") or "awsvault"


def _secret(name: str, collection: str) -> bytes:
    item = next(iter(_collection(collection).search_items({"profile": name})), None)
    if item is None:
        raise KeychainError(f"aws-vault's keychain holds no keys of {name}")
    return bytes(item.get_secret())


def _collection(wanted: str) -> Any:
    """A collection of this name, which must be unlocked."""
    try:
        import secretstorage
        from jeepney.wrappers import DBusErrorResponse
        from secretstorage.exceptions import SecretStorageException
    except ImportError:
        raise KeychainError("this system has no Secret Service") from None
    try:
        connection = secretstorage.dbus_init()
        for collection in secretstorage.get_all_collections(connection):
            if _plain(str(collection.collection_path)).rpartition("/collection/")[2] == wanted:
                if collection.is_locked():
                    raise KeychainError(f"the collection `{wanted}` is locked: unlock it")
                return collection
    except (SecretStorageException, DBusErrorResponse, OSError) as error:
        raise KeychainError(f"no Secret Service answers here: {type(error).__name__}") from None
    raise KeychainError(f"the Secret Service has no collection `{wanted}`")


def _plain(path: str) -> str:
    """A collection's path as its name was written: `_2d` is `-`."""
    return re.sub(r"_([0-9a-f]{2})", lambda found: chr(int(found.group(1), 16)), path)


def _store(environ: Mapping[str, str]) -> Path:
    return expanded(
        environ.get("AWS_VAULT_PASS_PASSWORD_STORE_DIR")
        or environ.get("PASSWORD_STORE_DIR")
        or "~/.password-store"
    )


def _prefix(environ: Mapping[str, str]) -> str:
    return environ.get("AWS_VAULT_PASS_PREFIX") or ""


def _pass_names(store: Path, prefix: str) -> list[str]:
    folder = store / prefix
    found: list[str] = []
    for base, _, files in os.walk(folder):
        entries = (Path(base) / file for file in files if file.endswith(".gpg"))
        found += [str(path.relative_to(folder).with_suffix("").as_posix()) for path in entries]
    return found


def _file_names(folder: Path) -> list[str]:
    """The names of encrypted files; what is in them stays closed."""
    if not folder.is_dir():
        return []
    return [unquote(path.name) for path in folder.iterdir() if path.is_file()]


def _shown(name: str, environ: Mapping[str, str]) -> bytes:
    """An entry of `pass`, decrypted; GnuPG asks the person itself where it must."""
    entry = f"{_prefix(environ)}/{name}".strip("/")
    environ = {**environ, "PASSWORD_STORE_DIR": str(_store(environ))}
    try:
        ended = run_for_output(
            ["pass", "show", "--", entry], environ, seconds=PATIENCE_WITH_A_PERSON
        )
    except (OSError, OutputTooLongError, TimeoutError) as error:
        raise KeychainError(f"`pass` does not answer: {type(error).__name__}") from None
    if ended.code:
        raise KeychainError(f"`pass show {entry}` failed", hint="its own message stands above")
    return ended.output
