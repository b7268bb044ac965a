"""What a source found: sign-ins, profiles, and what of them has no place in our YAML.

Owns the shape and that equal sign-ins are one provider; names and values are still the tool's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.importing.reading import text_of

Options = dict[str, Any]


@dataclass(frozen=True)
class LeftOut:
    """Something of the tool's that does not come over.

    Attributes:
        source: The profile (or sign-in) as the tool calls it.
        key: The setting; empty where the whole profile stays behind.
        reason: Why, and the nearest thing that we have.
    """

    source: str
    key: str
    reason: str


@dataclass(frozen=True)
class FoundProfile:
    """A profile as the tool has it.

    Attributes:
        name: What the tool calls it.
        values: Values of our YAML beside `provider` and `source`.
        provider: A name of `Found.providers`, or None.
        source: What the tool calls the profile whose session takes the role, or None.
    """

    name: str
    values: Mapping[str, Any]
    provider: str | None = None
    source: str | None = None


@dataclass
class Found:
    """All that a source found.

    Attributes:
        files: The tool's files that were read; none means that the tool is not set up here.
        providers: A name → the options, `type` among them.
        profiles: In the order of the tool's file.
        key_names: Profiles for which the tool's own keychain holds a user's keys.
        hints: What a person may want to run next.
        is_in_use: Something of these files is this tool's alone.
        keys: A key of our YAML → what the tool calls it, for what is left out; a provider by its
            type, as `provider:process`.
    """

    files: list[Path] = field(default_factory=list)
    providers: dict[str, Options] = field(default_factory=dict)
    profiles: list[FoundProfile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    key_names: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    is_in_use: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)
    _by_options: dict[str, str] = field(default_factory=dict, repr=False)
    _uses: dict[str, int] = field(default_factory=dict, repr=False)

    def text_of(self, path: Path) -> str | None:
        """The text of one of the tool's files, which is then one of `files`, or None without it.

        Raises:
            UsageError: It cannot be read, or is no text in UTF-8.
        """
        text = text_of(path)
        if text is not None:
            self.files.append(path)
        return text

    def provider(self, name: str, options: Mapping[str, Any], *, own: bool = False) -> str:
        """The provider of these options, new or as it was found before.

        Args:
            name: What it may be called.
            options: Empty values are none.
            own: The tool keeps it apart from equal ones: two people may be behind two names.
        """
        given = {key: value for key, value in options.items() if value not in (None, "", [], {})}
        identity = json.dumps(given, sort_keys=True, default=str)
        if own and self.providers.get(name) == given:
            return name
        if own or identity not in self._by_options:
            free = name
            while free in self.providers:
                self._uses[name] = self._uses.get(name, 1) + 1
                free = f"{name}-{self._uses[name]}"
            self.providers[free] = given
            self._by_options.setdefault(identity, free)
            return free
        return self._by_options[identity]

    def add(
        self,
        name: str,
        values: Mapping[str, Any],
        *,
        provider: str | None = None,
        source: str | None = None,
    ) -> None:
        """A profile; empty values are none."""
        given = {key: value for key, value in values.items() if value not in (None, "", [], {})}
        self.profiles.append(FoundProfile(name, given, provider, source))

    def leave_out(self, source: str, key: str, reason: str) -> None:
        """Something that does not come over."""
        self.left_out.append(LeftOut(source, key, reason))
