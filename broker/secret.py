"""A string that does not show itself, and the mask over texts that might hold one."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator
from typing import Final

_MASKED_IN_WORDS = 6
"""Letters of a secret that is masked inside other words too; a shorter one only stands alone."""
_seen: set[str] = set()
_BYTES = "surrogateescape"
"""How Python keeps bytes of the environment that are not UTF-8."""


def masked(text: str) -> str:
    """The text with every secret of this process masked, however it is spelt there."""
    short = {value for value in _seen if len(value) < _MASKED_IN_WORDS}
    text = without(text, _seen - short)
    for spelt in _spellings(short):
        text = re.sub(rf"(?<!\w){re.escape(spelt)}(?!\w)", Secret.MASK, text)
    return text


def without(text: str, values: Iterable[str]) -> str:
    """The text with these values masked, in the spellings of HTML, scripts and addresses too."""
    for spelt in _spellings(values):
        text = text.replace(spelt, Secret.MASK)
    return text


def _spellings(values: Iterable[str]) -> Iterator[str]:
    """Each value as HTML, scripts and addresses spell it, the longest value first."""
    import json
    from html import escape
    from urllib.parse import quote, quote_plus

    for value in sorted(filter(None, values), key=len, reverse=True):
        strings = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
        markup = {escape(string, quote=marks) for string in strings for marks in (True, False)}
        yield from {
            *strings,
            *markup,
            quote(value, safe="", errors=_BYTES),
            quote(value, errors=_BYTES),
            quote_plus(value, errors=_BYTES),
        }


class Secret:
    """A secret string; `repr`, `str`, formatting and tracebacks show a mask.

    Call `reveal()` at the one place where the value leaves the process. It cannot be pickled.
    """

    __slots__ = ("_value",)
    MASK: Final = "********"

    def __init__(self, value: str) -> None:
        self._value = value
        if len(value) >= _MASKED_IN_WORDS:
            _seen.add(value)

    @classmethod
    def typed(cls, value: str) -> Secret:
        """A secret that a person chose: masked however short it is."""
        _seen.add(value)
        return cls(value)

    def reveal(self) -> str:
        """The plain value."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret('{self.MASK}')"

    def __str__(self) -> str:
        return self.MASK

    def __format__(self, spec: str) -> str:
        return self.MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._value.encode(errors=_BYTES), other._value.encode(errors=_BYTES)
        )

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled")
