"""Which files make atmos's configuration here, and what they say of `auth`, one over the other.

Source: atmos's `pkg/config/load.go` and `imports.go` (2026-08). Remote imports are not fetched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import Any

from broker.importing import values, yaml_text
from broker.importing.found import Found
from broker.importing.reading import Here, text_of
from broker.importing.yaml_text import mapping, plain
from broker.paths import expanded

NAMES = ("atmos.yaml", "atmos.yml", ".atmos.yaml", ".atmos.yml")
MAX_FOLDERS = 2000
"""Folders that a `**` is looked for in: a hostile file may say to look through the whole disk."""
MAX_IMPORTS = 10
"""Imports behind one another, as atmos has it."""


def auth(here: Here, found: Found) -> dict[str, Any]:
    """The section `auth` of all files; those that say something of it are noted in `found`."""
    whole: dict[str, Any] = {}
    for path in _files(here):
        whole = _over(whole, _auth_of(path, found, ()))
    return whole


def _files(here: Here) -> Iterator[Path]:
    """The files that count, a later one over an earlier one."""
    for place in _places(here):
        if place.is_file():
            yield place
            continue
        name = next((name for name in NAMES if (place / name).is_file()), None)
        if name:
            yield place / name
            for more in ("atmos.d", ".atmos.d"):
                yield from _below(place / more)
            for profile in values.comma_separated(here.environ.get("ATMOS_PROFILE")):
                yield from _below(place / "profiles" / Path(profile).name)


def _places(here: Here) -> list[Path]:
    """Folders, and files that a variable names."""
    named = [
        here.folder / expanded(path)
        for variable in ("ATMOS_CONFIG", "ATMOS_CONFIG_PATH")
        for path in values.comma_separated(here.environ.get(variable))
    ]
    if named:
        return named
    places = [Path("/usr/local/etc/atmos"), expanded("~/.atmos")]
    given = here.environ.get("ATMOS_CLI_CONFIG_PATH")
    if given:
        return [*places, here.folder / expanded(given)]
    above = (here.folder, *here.folder.parents)
    nearest = next((f for f in above if any((f / name).is_file() for name in NAMES)), None)
    return [*places, nearest] if nearest else places


def _below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.y*ml")) if folder.is_dir() else []


def _auth_of(path: Path, found: Found, above: tuple[Path, ...]) -> dict[str, Any]:
    """What a file says, over what its imports say."""
    text = text_of(path)
    if text is None or path in above or path in found.files:
        return {}
    data = mapping(yaml_text.parse(text, path))
    whole: dict[str, Any] = {}
    given = data.get("import")
    base = path.parent / (plain(data.get("base_path")) or "")
    for item in given if isinstance(given, list) else []:
        pattern = plain(item) or ""
        if "://" in pattern or "::" in pattern or len(above) >= MAX_IMPORTS:
            found.leave_out(path.name, "import", "an import from elsewhere is not fetched")
            continue
        for file in _matching(base, pattern):
            whole = _over(whole, _auth_of(file, found, (*above, path)))
    own = mapping(data.get("auth"))
    if own:
        found.files.append(path)
    return _over(whole, own)


def _matching(base: Path, pattern: str) -> list[Path]:
    """The local files of an import: a path or a pattern, with or without its ending."""
    if "*" not in pattern:
        place = base / expanded(pattern)
        names = (place.name, f"{place.name}.yaml", f"{place.name}.yml") if place.name else ()
        return [path for name in names if (path := place.with_name(name)).is_file()][:1]
    parts = Path(pattern).parts
    fixed = next(n for n, part in enumerate(parts) if "*" in part)
    root, rest = base.joinpath(*parts[:fixed]), parts[fixed:]
    if rest[0] != "**":
        return sorted(path for path in root.glob("/".join(rest)) if path.is_file())
    found = []
    for folder, _, files in islice(os.walk(root), MAX_FOLDERS):
        found += [Path(folder, file) for file in files if fnmatch(file, rest[-1])]
    return sorted(found)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings as one; what stands above wins, mapping by mapping."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else value
    return merged
