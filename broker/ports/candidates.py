"""What a person picks from, and which of it is like what they have typed. Knows no terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Candidate:
    """One profile to pick.

    Attributes:
        name: Its name.
        account: 12 digits, or "".
        role: The role's name, or "".
        tags: As in the YAML.
    """

    name: str
    account: str = ""
    role: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def details(self) -> str:
        """What is shown beside the name."""
        tags = (f"{key}={value}" for key, value in self.tags.items())
        return " ".join(filter(None, (self.account, self.role, *tags)))

    @property
    def line(self) -> str:
        """All of it."""
        return f"{self.name}  {self.details}".rstrip()

    def rank(self, typed_words: Sequence[str]) -> int | None:
        """How far it is from these words (lower case); None where one is absent.

        From the nearest: the name itself, its beginning, a part of it, a part of another value; the
        word's letters in their order in the name, or across all values.
        """
        worst = 0
        for word in typed_words:
            rank = self._rank(word)
            if rank is None:
                return None
            worst = max(worst, rank)
        return worst

    def _rank(self, word: str) -> int | None:
        name, details = self._searched
        if word in name:
            return 0 if word == name else 1 if name.startswith(word) else 2
        if word in details:
            return 3
        if _in_order(word, name):
            return 4
        return 5 if _in_order(word, f"{name} {details}") else None

    @cached_property
    def _searched(self) -> tuple[str, str]:
        return self.name.lower(), self.details.lower()


class Narrowing:
    """The candidates that are like a growing text, the nearest first, else in their order.

    A longer text is looked for among those alone that the shorter one has left.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._left = [("", candidates)]
        self._nearest_first = [candidates]

    def like(self, text: str) -> Sequence[Candidate]:
        """Those that are like every word of the text."""
        text = text.lower()
        while not text.startswith(self._left[-1][0]):
            self._left.pop()
            self._nearest_first.pop()
        known, candidates = self._left[-1]
        if text != known:
            typed_words = text.split()
            ranks = [(candidate.rank(typed_words), candidate) for candidate in candidates]
            like = [(rank, candidate) for rank, candidate in ranks if rank is not None]
            self._left.append((text, [candidate for _, candidate in like]))
            like.sort(key=lambda ranked: ranked[0])
            self._nearest_first.append([candidate for _, candidate in like])
        return self._nearest_first[-1]


def _in_order(word: str, text: str) -> bool:
    """Whether the letters of the word occur in the text in their order."""
    place = -1
    for letter in word:
        place = text.find(letter, place + 1)
        if place < 0:
            return False
    return True
