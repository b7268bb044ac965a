"""An address of a file in a git repository, at a commit. Knows no git."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from broker.terminal_text import escape_controls

COMMIT = re.compile(r"[0-9a-f]{40}")
_FORM = re.compile(
    r"git\+(?P<scheme>https|ssh|file|http)://(?P<place>[^@#\s\\]*(?:@[^@#/\s\\]*)?[^@#\s\\]*?)"
    r"@(?P<revision>[^@#\s\\]+)#(?P<file>[^#\s\\]+)"
)
_HOST = re.compile(r"(?:\w[\w.+-]*@)?(?P<host>\w[\w.-]*|\[[0-9a-fA-F:.]+\])(?::\d+)?")
"""None that begins with a dash, which ssh takes for an option."""
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Reference:
    """A file of a repository: `git+https://HOST/PATH.git@COMMIT#FILE`.

    Attributes:
        url: Of the repository, without `git+`.
        revision: 40 hex digits; a branch's or tag's name is no pin yet.
        file: Its path in the repository.
    """

    url: str
    revision: str
    file: str

    @classmethod
    def parse(cls, text: str) -> Reference | None:
        """The reference, or None where the text is none that is taken.

        A user's name may stand before the host of ssh; a password never.
        """
        found = _FORM.fullmatch(text)
        if not found:
            return None
        scheme, place, file = found["scheme"], found["place"], found["file"]
        if found["revision"].startswith("-") or escape_controls(text) != text:
            return None
        if not {"", ".", ".."}.isdisjoint(file.split("/")):
            return None
        if scheme == "file":
            absolute = place.startswith("/")
            return cls(f"file://{place}", found["revision"], file) if absolute else None
        host = _HOST.fullmatch(place.partition("/")[0])
        if not host or (scheme != "ssh" and "@" in place):
            return None
        if scheme == "http" and host["host"] not in _LOOPBACK:
            return None
        return cls(f"{scheme}://{place}", found["revision"], file)

    @property
    def host(self) -> str:
        """Who is contacted; empty for a folder of this machine."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_pinned(self) -> bool:
        """Whether it names one commit, for ever."""
        return COMMIT.fullmatch(self.revision) is not None

    def at(self, revision: str) -> Reference:
        """The same file at another commit."""
        return replace(self, revision=revision)

    def beside(self, file: str) -> Reference | None:
        """Another file of the same commit, named relative to this one; None for one outside."""
        folder = self.file.split("/")[:-1]
        for part in file.split("/"):
            if part == "..":
                if not folder:
                    return None
                folder.pop()
            elif part not in {"", "."}:
                folder.append(part)
        return replace(self, file="/".join(folder)) if folder else None

    def __str__(self) -> str:
        return f"git+{self.url}@{self.revision}#{self.file}"
