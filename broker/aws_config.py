"""Our sections of `~/.aws/config`, which other tools write too. Pure: bytes in, bytes out.

A section is ours by its `credential_process` line, whatever has become of the comments around it.
What others put into it goes where it goes; every other byte stays. A section's body ends with its
last setting: comments and blank lines behind it belong to what follows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

BEGIN = "# >>> awslogin >>>"
END = "# <<< awslogin <<<"
MADE_BY = "made by `awslogin setup`; what you change in here is lost"
UNENDED = " (the line before had no end)"
NEW_FILE = " (there was no file before)"
TAKEN_OVER = "# awslogin took over: "
"""What stands before each line of a section that `--take-over` has put aside."""

OUR_KEYS = ("credential_process", "region")

_HEADER = re.compile(rb"\[(.+)\]")
_PROFILE = re.compile(r"profile\s+[\"']?([^\"']+?)[\"']?")
_LINE = re.compile(
    r"""(?:.*[/\\"\s`]|)(?:awslogin(?:\.exe|\.cmd)?|broker[/\\]__main__\.py|-m\s+broker)["']?"""
    r"""\s+creds\s+(?P<name>[^\s"]+)\s+--(?P<how>config|found)[=\s]\s*"""
    r"""(?:"(?P<quoted>[^"]+)"|(?P<plain>[^\s"`]+)).*"""
)


@dataclass(frozen=True)
class Ours:
    """What a `credential_process` line of ours says.

    Attributes:
        name: The profile of the YAML.
        file: The YAML.
        how: `found` (held to trust) or `config` (trusted as given).
    """

    name: str
    file: str
    how: str


@dataclass
class Section:
    """A section: where it stands, what it holds.

    Attributes:
        profile: The SDK's profile, where it is one: `[default]`, `[profile x]`.
        start: The header's line, counted from 0; `end` is behind its last setting.
        keys: Each setting's lines, with those that continue it; a comment line has the key `#`.
    """

    profile: str | None
    start: int
    end: int
    keys: list[tuple[str, list[bytes]]] = field(default_factory=list)

    @property
    def ours(self) -> Ours | None:
        """What its `credential_process` line says, where awslogin wrote that."""
        for key, lines in self.keys:
            if key == "credential_process":
                match = _LINE.fullmatch(_value(lines))
                if match:
                    file = os.path.normpath(match["quoted"] or match["plain"])
                    return Ours(match["name"], file, match["how"])
        return None

    @property
    def region(self) -> str | None:
        """Its region, which `aws configure` may have changed since."""
        return next((_value(lines) for key, lines in self.keys if key == "region"), None)

    @property
    def foreign(self) -> list[tuple[str, list[bytes]]]:
        """What others have put into a section of ours."""
        return [
            (key, lines)
            for key, lines in self.keys
            if key not in OUR_KEYS and not _is_marker(lines[0])
        ]


def _value(lines: list[bytes]) -> str:
    text = b"".join(lines).decode("utf-8", errors="surrogateescape")
    return re.split(r"[=:]", text, maxsplit=1)[-1].strip()


def _is_marker(line: bytes) -> bool:
    return line.lstrip().startswith((BEGIN.encode(), END.encode()))


def sections(lines: list[bytes]) -> Iterator[Section]:
    """The sections, as botocore's parser (Python's configparser) tells lines apart."""
    section: Section | None = None
    indent = 0
    for place, line in enumerate(lines):
        text = line.strip(b" \t\r\n\f\v\xef\xbb\xbf")
        if not text or text[:1] in b"#;":
            if text and section and not text.startswith(TAKEN_OVER.strip().encode()):
                section.keys.append(("#", [line]))
            continue
        depth = len(line) - len(line.lstrip())
        if section and section.end > section.start + 1 and depth > indent:
            settings = [lines for key, lines in section.keys if key != "#"]
            settings[-1].append(line)
            section.end = place + 1
            continue
        indent = depth
        header = _HEADER.match(text)
        if header:
            if section:
                yield _closed(section)
            section = Section(_profile_of(header[1]), place, place + 1)
        elif section:
            key = re.split(rb"[=:]", text, maxsplit=1)[0].strip().lower()
            section.keys.append((key.decode("utf-8", errors="replace"), [line]))
            section.end = place + 1
    if section:
        yield _closed(section)


def _closed(section: Section) -> Section:
    """Without the comments behind its last setting, which belong to what follows."""
    while section.keys and section.keys[-1][0] == "#":
        section.keys.pop()
    return section


def _profile_of(header: bytes) -> str | None:
    name = header.decode("utf-8", errors="replace").strip()
    if name.strip("\"'") == "default":
        return "default"
    profile = _PROFILE.fullmatch(name)
    return profile[1] if profile else None


def profiles(content: bytes) -> dict[str, Ours | None]:
    """The profiles of a config file; with what our line says, where they are ours."""
    found = sections(content.splitlines(keepends=True))
    return {section.profile: section.ours for section in found if section.profile}


@dataclass
class Rewritten:
    """A changed file.

    Attributes:
        content: None where the file goes, as setup had made it.
        dropped: Profile → names of the settings of others that went with its section.
        regions: Profile → its region as it was, where ours is another.
    """

    content: bytes | None
    dropped: dict[str, list[str]]
    regions: dict[str, str] = field(default_factory=dict)


def rewritten(
    content: bytes | None,
    new: Mapping[str, list[str]],
    *,
    file: str | None,
    take_over: Collection[str] = (),
) -> Rewritten:
    """The file with our sections of one YAML replaced: in their old place, else at the end.

    Args:
        content: The file as it is; None where there is none.
        new: Profile → its lines, header first; none takes the sections out.
        file: The YAML whose sections are replaced; None: those of every YAML.
        take_over: Profiles whose own section is put aside. It comes back when ours goes.
    """
    lines = (content or b"").splitlines(keepends=True)
    ended = "\r\n" if lines and lines[0].endswith(b"\r\n") else "\n"
    found = list(sections(lines))
    replaced = [section for section in found if section.ours and file in {None, section.ours.file}]
    others = {section.profile for section in found if section.ours} - {
        section.profile for section in replaced
    }
    gone = {place for section in replaced for place in _places(section, lines)}
    noted = _drop_markers(lines, found, gone)
    for section in found:
        if section.profile in take_over and not section.ours:
            for place in range(section.start, section.end):
                lines[place] = TAKEN_OVER.encode() + lines[place]
    _give_back(lines, {*new, *others})
    extra = {section.profile or "": section.foreign for section in replaced}
    block = _block(new, extra, ended)
    place = min((section.start for section in replaced), default=len(lines))
    before = b"".join(line for at, line in enumerate(lines[:place]) if at not in gone)
    after = b"".join(line for at, line in enumerate(lines[place:], place) if at not in gone)
    notes = [note for note in (UNENDED, NEW_FILE) if note in noted]
    if content is None:
        notes.append(NEW_FILE)
    dropped = {
        name: keys
        for name, settings in extra.items()
        if name not in new and (keys := [key for key, _ in settings if key != "#"])
    }
    if block:
        if before and not before.endswith((b"\n", b"\r")):
            before += ended.encode()
            notes.append(UNENDED)
        begin = f"{BEGIN} {MADE_BY}{''.join(notes)}{ended}"
        block = begin.encode() + block + f"{END}{ended}".encode()
    elif BEGIN.encode() in after:
        after = _noted(after, notes)
    elif UNENDED in notes and not after:
        before = before.removesuffix(b"\n").removesuffix(b"\r")
    written = before + block + after
    regions = {
        name: region
        for section in replaced
        if (name := section.profile or "") in new
        and (region := section.region)
        and f"region = {region}" not in new[name]
    }
    return Rewritten(None if NEW_FILE in notes and not written else written, dropped, regions)


def _noted(after: bytes, notes: list[str]) -> bytes:
    """The notes of a marker that goes, on the next one."""
    start = after.index(BEGIN.encode())
    line = after[start:].splitlines()[0]
    missing = "".join(note for note in notes if note.encode() not in line)
    return after[:start] + line + missing.encode() + after[start + len(line) :]


def _places(section: Section, lines: list[bytes]) -> Iterator[int]:
    """The lines of a section that goes, with blank ones up to the next of ours or a marker."""
    yield from range(section.start, section.end)
    place = section.end
    while place < len(lines) and not lines[place].strip():
        place += 1
    if place < len(lines) and lines[place].startswith(END.encode()):
        yield from range(section.end, place)


def _drop_markers(lines: list[bytes], found: list[Section], gone: set[int]) -> str:
    """Add to `gone` the marker lines around no section of ours any more; the notes on them."""
    remaining = {section.start for section in found if section.ours and section.start not in gone}
    markers = [place for place, line in enumerate(lines) if _is_marker(line)]
    noted = ""
    for number, place in enumerate(markers):
        if not lines[place].lstrip().startswith(BEGIN.encode()):
            opened = number and markers[number - 1] not in gone
            is_end_of_kept = opened and lines[markers[number - 1]].lstrip().startswith(
                BEGIN.encode()
            )
            if not is_end_of_kept:
                gone.add(place)
            continue
        until = markers[number + 1] if number + 1 < len(markers) else len(lines)
        if not remaining & set(range(place, until)):
            gone.add(place)
            noted += lines[place].decode("utf-8", errors="replace")
    return noted


def _give_back(lines: list[bytes], ours: set[str | None]) -> None:
    """Make sections that were put aside valid again where ours of that name is gone."""
    prefix = TAKEN_OVER.encode()
    gives = False
    for place, line in enumerate(lines):
        if not line.startswith(prefix):
            continue
        bare = line[len(prefix) :]
        header = _HEADER.match(bare.strip())
        if header:
            gives = _profile_of(header[1]) not in ours
        if gives:
            lines[place] = bare


def _block(
    new: Mapping[str, list[str]], extra: Mapping[str, list[tuple[str, list[bytes]]]], ended: str
) -> bytes:
    """Our lines, each section with what others had put into the one before it."""
    block = b""
    for name, own in new.items():
        block += "".join(line + ended for line in own).encode()
        for _, lines in extra.get(name, []):
            text = b"".join(lines).lstrip()  # deeper than our lines it would continue them
            block += text if text.endswith((b"\n", b"\r")) else text + ended.encode()
    return block
