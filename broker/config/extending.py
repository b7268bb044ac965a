"""`extends`: other files under this one, merged. Owns what may be named, the order, and who wins.

The files of `extends` are merged in order, and the file that names them over them: what stands
nearer wins. `defaults` and `report` are merged key by key, `providers` and `profiles` entry by
entry, and in an entry key by key; every other value is taken whole. An entry whose `type` changes
is another one, and taken whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from broker.config.document import MAX_BYTES, Document, parse
from broker.config.document import Path as Keys
from broker.config.origin import Origin
from broker.errors import ConfigError
from broker.paths import expanded
from broker.ports.git import Repositories
from broker.ports.git_reference import Reference
from broker.terminal_text import escape_controls
from broker.warm import leads_by_process

MAX_DEPTH = 10
MAX_FILES = 50
"""Lines of `extends` in all files together; what they bring together has the bounds of one file."""
Consent = Callable[[Reference], None]
"""Called before a repository is contacted; raises where it may not be."""
_BY_KEY = ("defaults", "report")
_BY_ENTRY = ("providers", "profiles")


@dataclass
class Extended:
    """A document with all that it extends.

    Attributes:
        document: Merged; each value knows its own file.
        files: The other files that were read, with their content, without those of a pin.
        references: Those of git, in the order in which they were met.
    """

    document: Document
    files: dict[Path, bytes] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)


def extended(
    document: Document, path: Path, environ: Mapping[str, str], *, consent: Consent | None = None
) -> Extended:
    """The document with what it extends.

    Args:
        document: The nearest file, parsed.
        path: Where it lies.
        environ: Says where the cache of git's files lies.
        consent: To fetch what is not in the cache; without it nothing is fetched.

    Raises:
        ConfigError: A file is missing or wrong, not pinned, not fetched, or they run in a circle.
        AwsLoginError: As `consent` has it.
    """
    found = Extended(document)
    reader = _Reader(found, environ, consent)
    found.document = reader.read(document, path, (os.path.realpath(path),))
    return found


class _Reader:
    def __init__(
        self, found: Extended, environ: Mapping[str, str], consent: Consent | None
    ) -> None:
        self._found = found
        self._consent = consent
        self._files, self._bytes = MAX_FILES, MAX_BYTES
        self._repositories = Repositories(environ)

    def read(self, document: Document, place: Path | Reference, above: tuple[str, ...]) -> Document:
        """A document over what it extends."""
        named = document.data.get("extends") if isinstance(document.data, dict) else None
        named = [named] if isinstance(named, str) else named
        below: Document | None = None
        for index, text in enumerate(named if isinstance(named, list) else []):
            with in_line(document, index):
                extended = self._extended(text, place, above)
            below = merged(below, extended) if below else extended
        return merged(below, document) if below else document

    def _extended(self, text: object, place: Path | Reference, above: tuple[str, ...]) -> Document:
        """The file or reference that an entry of `extends` names, over what it extends itself."""
        target = self._target(text, place)
        name = str(target) if isinstance(target, Reference) else os.path.realpath(target)
        if name in above:
            raise ConfigError("the files extend one another in a circle")
        if len(above) > MAX_DEPTH:
            raise ConfigError(f"more than {MAX_DEPTH} files extend one another")
        if isinstance(target, Reference):
            if self._consent and not self._repositories.has(target):
                self._consent(target)
                self._repositories.fetch(target)
            content, shown = self._repositories.read(target), str(target)
            if target not in self._found.references:
                self._found.references.append(target)
        else:
            content, shown = _content(target), str(target)
            self._found.files[Path(name)] = content
        self._files, self._bytes = self._files - 1, self._bytes - len(content)
        if min(self._files, self._bytes) < 0:
            raise ConfigError(
                f"more than {MAX_FILES} files, or {MAX_BYTES >> 10} KiB, are extended in all"
            )
        document = parse(content, shown)
        if not isinstance(document.data, dict) or str(document.data.get("version", 1)) != "1":
            raise document.error((), "an extended file is a mapping that begins `version: 1`")
        return self.read(document, target, (*above, name))

    def _target(self, text: object, place: Path | Reference) -> Path | Reference:
        """What a line of `extends` names, seen from the file that has it."""
        if not isinstance(text, str) or escape_controls(" ".join(text.split())) != text:
            raise ConfigError("names no file: it is no text, or has characters that cannot be seen")
        if text.startswith("git+"):
            reference = reference_of(text)
            if isinstance(place, Reference) and place.host and not reference.host:
                raise ConfigError("leads out of the repository, to a folder of this machine")
            if not reference.is_pinned:
                raise ConfigError(
                    f"`{reference.revision}` is no commit: what it means may change",
                    hint="`awslogin config update` pins it to the newest commit",
                )
            return reference
        if isinstance(place, Reference):
            beside = None if os.path.isabs(text) or "://" in text else place.beside(text)  # noqa: PTH117
            if beside is None:
                raise ConfigError("leads out of the repository")
            return beside
        if "://" in text:
            raise ConfigError("is neither a file nor a git repository", hint="git+https://…")
        return place.parent / expanded(text)


def reference_of(text: str) -> Reference:
    """What a line that begins `git+` names.

    Raises:
        ConfigError: It is no address that is taken.
    """
    reference = Reference.parse(text)
    if reference is None:
        raise ConfigError(
            "is no address of a file in a git repository",
            hint="git+https://HOST/PATH.git@<40 hex digits of a commit>#FILE",
        )
    return reference


@contextmanager
def in_line(document: Document, index: int) -> Iterator[None]:
    """What is wrong gets the place of a line of `extends`, unless it has one of its own."""
    try:
        yield
    except ConfigError as error:
        if error.file:
            raise
        raise document.error(("extends", index), error.reason, hint=error.hint) from error


def merged(below: Document, near: Document) -> Document:
    """One document over another; each value keeps its place."""
    data = {**below.data}
    whole: set[Keys] = set()
    for key, value in near.data.items():
        old = data.get(key)
        if key in _BY_KEY and isinstance(old, dict) and isinstance(value, dict):
            data[key] = {**old, **value}
            whole |= {(key, name) for name in value}
        elif key in _BY_ENTRY and isinstance(old, dict) and isinstance(value, dict):
            data[key] = {**old}
            for name, entry in value.items():
                before = old.get(name)
                if isinstance(before, dict) and _is_same_kind(before, entry):
                    data[key][name] = {**before, **entry}
                    whole |= {(key, name, part) for part in entry}
                else:
                    data[key][name] = entry
                    whole.add((key, name))
        else:
            data[key] = value
            whole.add((key,))

    def stays(path: Keys) -> bool:
        return not any(path[:length] in whole for length in range(1, 4))

    places = {path: place for path, place in below.places.items() if stays(path)} | near.places
    raw = {path: text for path, text in below.raw.items() if stays(path)} | near.raw
    places[()] = near.places.get((), Origin(near.file, 1, 1))
    return Document(near.file, data, places, raw, [*below.problems, *near.problems])


def _is_same_kind(before: dict[str, object], entry: object) -> bool:
    if not isinstance(entry, dict):
        return False
    return "type" not in entry or entry["type"] == before.get("type")


def _content(path: Path) -> bytes:
    """As much of it as may be; of a pipe or a terminal nothing, as somebody would wait for it."""
    if leads_by_process(os.path.realpath(path)):
        raise ConfigError(f"{path} is another file in each process")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no regular file")
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
