"""What stands in a page's scripts: the value of a variable, Microsoft's `$Config`.

Owns reading them as text; no script is ever run.
"""

from __future__ import annotations

import json
import re
from typing import Any

_CONFIG = re.compile(r"\$Config\s*=\s*(?=\{)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_STRING = r"""(["'])((?:\\.|(?!\1)[^\\]){1,8192})\1"""


def config(text: str) -> dict[str, Any] | None:
    """The JSON value after `$Config=`, whatever script follows it; None where there is none.

    A page may start with an empty one: the one that says most counts.
    """
    configs = []
    for match in _CONFIG.finditer(text):
        try:
            found, _ = json.JSONDecoder(strict=False).raw_decode(text, match.end())
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            configs.append(found)
    return max(configs, key=len, default=None)


def variable(text: str, name: str) -> str | None:
    """The string that a script gives to a variable or a key of this name."""
    match = re.search(rf"\b{name}[\"']?\s*[:=]\s*{_STRING}", text, re.DOTALL)
    return string(match.group(2)) if match else None


def string(literal: str) -> str:
    """A JavaScript string literal's value, without its quotes."""
    return _ESCAPE.sub(
        lambda match: (
            chr(int(match.group(1) or match.group(2), 16))
            if match.group(1) or match.group(2)
            else match.group(3)
        ),
        literal,
    )
