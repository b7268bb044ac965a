"""Whether the AWS SDKs read a config file. Pure; repeats nothing of the file but names."""

from __future__ import annotations

import configparser
import io


def unreadable(content: bytes) -> str | None:
    """Why boto3 and the AWS CLI do not read a file; None where they do. Repeats nothing of it.

    Source: botocore.configloader (`raw_config_parse`, `_parse_nested`).
    """
    if b"\0" in content:
        return "it holds NUL bytes (is it UTF-16?)"
    if content.startswith(b"\xef\xbb\xbf"):
        return "it begins with a byte order mark"
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"line {line} is not UTF-8"
    parser = configparser.RawConfigParser(default_section="\0")
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.DuplicateSectionError as error:
        return f"line {error.lineno} begins a section that is there already"
    except configparser.DuplicateOptionError as error:
        return f"line {error.lineno} sets what its section has set already"
    except configparser.MissingSectionHeaderError as error:
        return f"line {error.lineno} stands before any section"
    except configparser.ParsingError as error:
        return f"line {error.errors[0][0]} is neither a section nor `key = value`"
    for name in parser.sections():
        for key, value in parser.items(name):
            nested = value.split("\n")[1:] if value.startswith("\n") else []
            if any(line.strip() and "=" not in line for line in nested):
                return f"`{key}` of section [{name}] is followed by lines without `=`"
    return None
