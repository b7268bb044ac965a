"""A tool's sign-ins as providers of ours: existing ones where they are the same, else new ones.

Owns what is the same sign-in and what our YAML can hold of a provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from broker import registry
from broker.config import Config
from broker.errors import ConfigError
from broker.importing import names, secret_words

FOR_PROFILES = frozenset({"static", "process", "web-identity"})
"""Types whose provider says nothing without a profile."""


class SignIns:
    """The tool's names of sign-ins → our providers.

    Attributes:
        new: Providers that are not in the YAML yet, name → options.
        problems: The tool's name → the provider's type as a key, and why it cannot come over.
    """

    def __init__(self, before: Config, found: Mapping[str, Mapping[str, Any]]) -> None:
        self.new: dict[str, dict[str, Any]] = {}
        self.problems: dict[str, tuple[str, str]] = {}
        self._ours: dict[str, str] = {}
        self._there: dict[str, list[str]] = {}
        self._names = set(before.provider_names)
        self._claimed: set[str] = set()
        for name in before.provider_names:
            try:
                spec = before.provider(name)
            except ConfigError:
                continue
            self._there.setdefault(_identity(spec.type, spec.options), []).append(name)
        checked = {name: self._check(name, options) for name, options in found.items()}
        for name, identity in checked.items():
            if identity and name in self._there.get(identity, ()):
                self._claim(name, name)
        for name, identity in checked.items():
            if identity and name not in self._ours:
                self._take(name, identity, found[name])

    def ours(self, name: str) -> str | None:
        """Our provider; None where the sign-in cannot come over."""
        return self._ours.get(name)

    def _check(self, name: str, options: Mapping[str, Any]) -> str | None:
        """What makes it the sign-in that it is, or None where our YAML cannot hold it."""
        given = {key: value for key, value in options.items() if key != "type"}
        kind = str(options["type"])
        secret = secret_words.problem(given)
        try:
            checked = registry.load(kind).Options.model_validate(given)
        except ConfigError:
            problem = f"this awslogin has no provider of type `{kind}`"
        except ValidationError as error:
            problem = _first_problem(error)
        else:
            if not secret:
                return _identity(kind, checked)
            problem = f"`{secret[0]}`: {secret[1]}"
        self.problems[name] = f"provider:{kind}", problem
        return None

    def _take(self, name: str, identity: str, options: Mapping[str, Any]) -> None:
        """Take an equal provider that no other sign-in of the tool took, else add a new one."""
        equal = self._there.setdefault(identity, [])
        ours = next((provider for provider in equal if provider not in self._claimed), None)
        if ours is None:
            ours = names.free(name, str(options["type"]), self._names)
            self._names.add(ours)
            equal.append(ours)
            self.new[ours] = dict(options)
        self._claim(name, ours)

    def _claim(self, name: str, ours: str) -> None:
        self._ours[name] = ours
        self._claimed.add(ours)


def _identity(kind: str, options: Any) -> str:
    return f"{kind} {sorted(options.sign_in().items(), key=lambda item: item[0])}"


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{f'`{key}`: ' if key else ''}{message[:1].lower()}{message[1:]}"
