"""Where another tool's files are, and their text. Owns errors that name file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.errors import UsageError
from broker.paths import expanded

MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Here:
    """The person's place: what decides where a tool looks for its files."""

    environ: Mapping[str, str]
    folder: Path

    def path(self, variable: str, usual: str) -> Path:
        """The path of a variable where it is set, else the usual one; `~` is the home."""
        return expanded(self.environ.get(variable) or usual)


def text_of(path: Path) -> str | None:
    """A file's text without its byte order mark, or None where there is none.

    Raises:
        UsageError: It cannot be read, or is no text in UTF-8.
    """
    try:
        if not path.exists():
            return None
        if not path.is_file():
            raise UsageError(f"{path} is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint="check its mode"
        ) from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise wrong(path, line, "is not UTF-8 text") from None


def wrong(path: Path, line: int | None, message: str, hint: str = "") -> UsageError:
    """An error at a line of a tool's file; it repeats nothing of the line."""
    where = f"{path}:{line}" if line else str(path)
    return UsageError(f"{where} {message}", hint=hint or "mend that file, then again")
