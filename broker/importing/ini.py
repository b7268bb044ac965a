"""Two dialects of INI: botocore's, and go-ini's, which the tools written in Go read.

Sources: botocore's `configloader` (Python's RawConfigParser); the documentation of go-ini
(gopkg.in/ini.v1): sections of one name are one, ` #` and ` ;` begin a comment, quotes go.
"""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

from broker.importing.reading import wrong

Section = dict[str, str]

_QUOTED = re.compile(r"[\"'\\]")
_COMMENT = re.compile(r"\s[#;].*")
_KEY = re.compile(r"([^=:]+?)\s*[=:]\s*(.*)")


def as_botocore_reads(text: str, path: Path) -> dict[str, Section]:
    """Section → keys in lower case and their values; a nested block's value begins with a break.

    Raises:
        UsageError: botocore does not read it.
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise wrong(path, *_line_and_problem(error)) from None
    return {name: dict(parser[name]) for name in parser.sections()}


def _line_and_problem(error: configparser.Error) -> tuple[int | None, str]:
    """The line of an error and what is wrong there, without the line's text."""
    line = getattr(error, "lineno", None)
    if line is None and isinstance(error, configparser.ParsingError) and error.errors:
        line = error.errors[0][0]
    if isinstance(error, configparser.DuplicateSectionError):
        return line, f"has the section [{error.section}] twice"
    if isinstance(error, configparser.DuplicateOptionError):
        return line, f"has the key {error.option} twice in [{error.section}]"
    return line, "is not a line that the AWS SDKs read"


def as_go_reads(text: str, path: Path) -> dict[str, Section]:
    """Section → keys in lower case and their values; what stands above all sections is `""`.

    Raises:
        UsageError: A line is neither section nor key.
    """
    sections: dict[str, Section] = {}
    current = sections.setdefault("", {})
    indent: int | None = None
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if stripped[0] == "[":
            end = stripped.rfind("]")
            if end < 0:
                raise wrong(path, number, "begins a section that does not end")
            current = sections.setdefault(stripped[1:end].strip(), {})
            indent = None
            continue
        column = len(line) - len(line.lstrip())
        if indent is not None and column > indent:
            current[key] += f"\n{stripped}"
            continue
        pair = _KEY.match(stripped)
        if not pair:
            raise wrong(path, number, "is neither a section nor a key with its value")
        key, indent = pair.group(1).strip().lower(), column
        current[key] = _unquoted(pair.group(2))
    return sections


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] in "\"'`":
        end = value.find(value[0], 1)
        if end > 0:
            return value[1:end]
    return _COMMENT.sub("", value).strip()


def aws_name(section: str, kind: str) -> str | None:
    """The name in a section's head such as `profile "a b"`, None where it is of another kind."""
    if kind == "profile" and section == "default":
        return section
    if not section.startswith(kind):
        return None
    try:
        tokens = shlex.split(section) if _QUOTED.search(section) else section.split()
    except ValueError:
        return None
    return tokens[1] if len(tokens) == 2 and tokens[0] == kind else None
