"""Which config file counts, and its content as a checked structure. Owns finding and reading."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from broker.config.checking import checked
from broker.config.document import MAX_BYTES, Document, parse
from broker.config.extending import extended
from broker.config.loaded import Config
from broker.config.no_config import NoConfig
from broker.config.trust import Subject, Trust
from broker.errors import ConfigError, UsageError
from broker.file_fingerprint import file_fingerprint
from broker.paths import config_dir, require_own
from broker.ports.steps import step
from broker.settings import settings
from broker.warm import FILE_NAME, place_of

EXAMPLE = """\
version: 1
providers:
  corp: {type: identity-center, start_url: https://corp.awsapps.com/start, region: eu-west-1}
profiles:
  dev: {provider: corp, account: "111122223333", role: Developer}"""


def load(
    explicit: str | None, environ: Mapping[str, str], cwd: Path, found_option: str | None = None
) -> Config:
    """The config that counts here.

    Args:
        explicit: The path behind `--config`; trusted for this call.
        environ: `AWSLOGIN_CONFIG` is trusted as given.
        cwd: Where the walk up for `awslogin.yaml` begins.
        found_option: The path behind `--found`; held to trust as if it were found by walking up.

    Raises:
        NoConfig: There is none.
        UsageError: Both `--config` and `--found`.
        SpoiledFile, ConfigError: It cannot be read, or is wrong as a whole.
    """
    path, given = find(explicit, environ, cwd, found_option)
    step(f"config {path}")
    fingerprints = {str(path): file_fingerprint(str(path))}
    content = read(path)
    document = parse(content, str(path))
    own = path == config_dir(environ) / "config.yaml"
    config = of_document(
        document,
        path,
        environ,
        content,
        given=given,
        whole=bool(explicit) and not own,
        fingerprints=fingerprints,
    )
    if own and config.given:
        for file in config.subject.extended:
            require_own(file)
    return config


def read(path: Path) -> bytes:
    """The content of a YAML, or as much as is more than may be.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}",
            file=str(path),
            hint="name another by --config or AWSLOGIN_CONFIG, or give yourself access",
        ) from error


def of_document(
    document: Document,
    path: Path,
    environ: Mapping[str, str],
    content: bytes,
    *,
    given: bool = True,
    whole: bool = True,
    fingerprints: dict[str, bytes] | None = None,
) -> Config:
    """The config that a file of this content is, whether it is written yet or not.

    Args:
        document: The content, parsed.
        path: The file's place.
        environ: Says where trust and the cache of git's files lie.
        content: Its bytes.
        given: Whether the person named it, so that it and its folder are trusted.
        whole: Whether that goes for what it extends elsewhere, too.
        fingerprints: Of the files that were read already.

    Raises:
        SpoiledFile: It is wrong as a whole.
    """
    fingerprints = fingerprints or {}
    found_files = extended(document, path, environ)
    document = found_files.document
    subject = Subject(path, content, document, found_files.files)
    given = given and (whole or not subject.reaches_elsewhere)
    fingerprints |= {str(file): file_fingerprint(str(file)) for file in subject.files}
    trusted = given
    if not given:
        trust = Trust(environ)
        fingerprints[str(trust.path)] = file_fingerprint(str(trust.path))
        trusted = trust.holds(subject)
    return Config(
        path,
        document,
        checked(document, environ, subject.path.parent, trusted=trusted),
        environ,
        subject=subject,
        given=given,
        trusted=trusted,
        fingerprints=fingerprints,
    )


def find(
    explicit: str | None, environ: Mapping[str, str], cwd: Path, found_option: str | None = None
) -> tuple[Path, bool]:
    """The config file, and whether it is trusted as given.

    Raises:
        NoConfig: There is none.
        UsageError: Both `--config` and `--found`.
    """
    if explicit and found_option:
        raise UsageError("both --config and --found", hint="keep one")
    how, path = place_of(explicit or "", found_option or "", environ, str(cwd))
    if how != "own":
        trusted = how == "given" or (
            how == "environ" and settings(environ).demand_trust != "always"
        )
        return Path(path), trusted
    own = config_dir(environ) / "config.yaml"
    if own.is_file():
        require_own(own)
        return own, True
    others = next((folder for folder in (cwd, *cwd.parents) if _stands_in(folder)), None)
    raise NoConfig(
        f"there is no config: neither {FILE_NAME} here or above, nor {own}",
        hint=f"{others / FILE_NAME} belongs to another user: name it with --config, or copy it"
        if others
        else f"write one, for example:\n{EXAMPLE}",
    )


def _stands_in(folder: Path) -> bool:
    # Unlike `Path.is_file`: a folder that we may not look into has none.
    return os.path.isfile(folder / FILE_NAME)  # noqa: PTH113


def empty(environ: Mapping[str, str]) -> Config:
    """A config without profiles, for what works without one."""
    content = b"version: 1\n"
    path = config_dir(environ) / "config.yaml"
    return of_document(parse(content, str(path)), path, environ, content)
