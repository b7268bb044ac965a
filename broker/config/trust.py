"""What the person trusts: a YAML at its place, with the files that it runs. Owns that list."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from broker.config.commands import commands_in, files_of
from broker.config.document import Document, parse
from broker.config.extending import Consent, extended
from broker.errors import ConfigError
from broker.paths import data_dir, private_dir, read_or_none, read_own_or_none, write_private

MAX_FILE_BYTES = 1 << 30
"""Of a file that a command names."""
PIECE = 1 << 20
"""Bytes that are read of it at once."""


class Subject:
    """What trust is asked for: a file's content, its place, and all else that it takes with it.

    Args:
        path: The YAML.
        content: Its bytes.
        document: The same, parsed, with all that it extends.
        extended: The files that it extends, but for those of a pinned commit: the pin says them.
    """

    def __init__(
        self,
        path: Path,
        content: bytes,
        document: Document,
        extended: Mapping[Path, bytes] | None = None,
    ) -> None:
        self.path = Path(os.path.realpath(path))
        self.content = content
        self.document = document
        self.extended = {**(extended or {})}
        named = {
            file
            for command in commands_in(document.data)
            for file in files_of(command, self.path.parent)
        }
        self.files = sorted((named | self.extended.keys()) - {self.path})

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the path and the contents, each behind its length; 64 hex digits."""
        whole = hashlib.sha256()
        read = {**self.extended, self.path: self.content}
        for path in (self.path, *self.files):
            content = (read[path],) if path in read else _pieces_of(path)
            size = len(read[path]) if path in read else path.stat().st_size
            whole.update(b"%d:" % len(os.fsencode(path)) + os.fsencode(path) + b"%d:" % size)
            for piece in content:
                whole.update(piece)
        return whole.hexdigest()

    @cached_property
    def reaches_elsewhere(self) -> bool:
        """Whether it extends files outside of its folder: they change without whoever named it."""
        own = os.path.realpath(self.path.parent)
        return not all(path.is_relative_to(own) for path in self.extended)


class Trust:
    """What this person trusts."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.path = data_dir(environ) / "trusted.json"

    def holds(self, subject: Subject) -> bool:
        """Whether exactly this is trusted."""
        trusted = self._read()
        return subject.digest in trusted or self._held_by_older_versions(subject, trusted)

    def add(self, subject: Subject) -> None:
        """Trust it; path and content are kept for the person's eyes."""
        self._change({subject.digest: str(subject.path)})
        write_private(self._last(subject.path), subject.content)

    def revoke(self, subject: Subject) -> None:
        """Trust it no longer."""
        self._change({subject.digest: None, _plain(subject): None})

    def carry_over(self, path: Path, before: bytes, after: bytes) -> None:
        """Trust what we ourselves make of a file, if the file was trusted before."""
        if self.holds(subject_of(path, before, self._environ)):
            self.add(subject_of(path, after, self._environ))

    def before(self, path: Path) -> bytes | None:
        """The content that was trusted last at a place, or None."""
        return read_or_none(self._last(Path(os.path.realpath(path))))

    def _held_by_older_versions(self, subject: Subject, trusted: Mapping[str, str]) -> bool:
        """They took a hash of the YAML's content alone; its place stood beside it."""
        place = trusted.get(_plain(subject))
        return (
            place is not None and not subject.files and os.path.realpath(place) == str(subject.path)
        )

    def _last(self, path: Path) -> Path:
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
        return self.path.parent / "trusted" / f"{name}.yaml"

    def _change(self, change: dict[str, str | None]) -> None:
        """Note digest → file in the list; None takes a digest out."""
        private_dir(self.path.parent)
        from filelock import FileLock

        with FileLock(f"{self.path}.lock", mode=0o600):
            trusted = {**self._read(), **change}
            remaining = {digest: file for digest, file in trusted.items() if file is not None}
            write_private(self.path, json.dumps(remaining, indent=1).encode())

    def _read(self) -> dict[str, str]:
        content = read_own_or_none(self.path)
        if content is None:
            return {}
        try:
            trusted = json.loads(content)
        except ValueError:
            trusted = None
        if not isinstance(trusted, dict):
            raise ConfigError(
                "the list of trusted files is damaged",
                file=str(self.path),
                hint=f"move {self.path} away: `awslogin config trust` begins another",
            )
        return trusted


def subject_of(
    path: Path, content: bytes, environ: Mapping[str, str], *, consent: Consent | None = None
) -> Subject:
    """What trust in a file is asked for; of a broken YAML its content alone.

    Args:
        path: The file.
        content: Its bytes.
        environ: Says where the cache of git's files lies.
        consent: To fetch what it extends; without it nothing is fetched.

    Raises:
        NetworkError: What it extends cannot be fetched.
        AwsLoginError: As `consent` has it.
    """
    try:
        document = parse(content, str(path))
        whole = extended(document, path, environ, consent=consent)
    except ConfigError:
        return Subject(path, content, Document(str(path), None))
    return Subject(path, content, whole.document, whole.files)


def _pieces_of(path: Path) -> Iterator[bytes]:
    """A file's content: as much as its size says, as what the kernel makes up may have no end.

    Of one that we may not read there is none.
    """
    left = path.stat().st_size
    if left > MAX_FILE_BYTES:
        raise ConfigError(
            f"a command names {path}, which is larger than it may be", hint="name another file"
        )
    with contextlib.suppress(PermissionError), path.open("rb") as file:
        while left and (piece := file.read(min(left, PIECE))):
            left -= len(piece)
            yield piece


def _plain(subject: Subject) -> str:
    return hashlib.sha256(subject.content).hexdigest()
