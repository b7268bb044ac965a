"""One loaded config: its profiles and providers, and whether it may be acted on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from broker.arn import account_of
from broker.config.checking import problems_of
from broker.config.commands import commands_in
from broker.config.document import Document, parse
from broker.config.models import FileModel
from broker.config.profile import Profile, ProviderSpec
from broker.config.report_settings import ReportSettings
from broker.config.resolve import Resolver
from broker.config.trust import Subject, Trust
from broker.errors import ConfigError, InteractionRequired
from broker.paths import config_dir


class Labels(NamedTuple):
    """What a person tells a profile by; an account or role that the file does not say is ""."""

    account: str
    role: str
    tags: Mapping[str, str]


class Config:
    """A config whose structure is right; what is wrong with one profile is raised when it is asked.

    Attributes:
        path: The file.
        fingerprints: Every file that was read, with its fingerprint from before.
        team: Empty where the file names none.
        default_profile: As the file has it, or None.
        subject: What trust is asked for.
        given: Whether the person named the file, so that it is trusted.
        trusted: Whether the file may be acted on.
    """

    def __init__(
        self,
        path: Path,
        document: Document,
        model: FileModel,
        environ: Mapping[str, str],
        *,
        subject: Subject,
        given: bool,
        trusted: bool,
        fingerprints: dict[str, bytes],
    ) -> None:
        self.path = path
        self.fingerprints = fingerprints
        self.team = model.team or ""
        self.default_profile = model.default_profile
        self.given = given
        self.trusted = trusted
        self.subject = subject
        self._model = model
        self._document = document
        self._environ = environ
        self._resolver = Resolver(model, document, environ, subject.path.parent, trusted=trusted)

    @property
    def names(self) -> list[str]:
        """All profiles, in the file's order."""
        return list(self._model.profiles)

    def labels(self, name: str) -> Labels:
        """What a person tells a profile by, as the file has it: nothing is resolved or checked."""
        model = self._model.profiles[name]
        role = model.role or (model.role_arn or "").partition(":role/")[2]
        return Labels(model.account or account_of(model.role_arn) or "", role, model.tags)

    @property
    def provider_names(self) -> list[str]:
        """All providers, in the file's order."""
        return list(self._model.providers)

    @property
    def report(self) -> ReportSettings:
        """What the team says of reports."""
        return self._model.report

    @property
    def folder(self) -> Path:
        """The file's own real folder, in which its commands run."""
        return self.subject.path.parent

    @property
    def names_commands(self) -> bool:
        """Whether commands are run for it."""
        return any(commands_in(self._document.data))

    def in_environment(self, environ: Mapping[str, str]) -> Config:
        """The same config, whose profiles are resolved in another environment."""
        return Config(
            self.path,
            self._document,
            self._model,
            environ,
            subject=self.subject,
            given=self.given,
            trusted=self.trusted,
            fingerprints=self.fingerprints,
        )

    def __contains__(self, name: object) -> bool:
        return name in self._model.profiles

    @property
    def place(self) -> str:
        """The file's own real path; it stands for the team where the file names none."""
        return os.path.realpath(self.path)

    @property
    def key_scope(self) -> str:
        """Whose static keys these are: the team's, else those of this file.

        A person's own config is one of a kind, and keeps the scope that older versions gave it.
        """
        if self.team or self.path == config_dir(self._environ) / "config.yaml":
            return self.team
        return self.place

    def profile(self, name: str) -> Profile:
        """A profile, resolved.

        Raises:
            ConfigError: There is no such profile, or it is spoiled.
        """
        try:
            return self._resolver.profile(name)
        except ConfigError as error:
            if name not in self and self._is_in_own_config(name):
                own = config_dir(self._environ) / "config.yaml"
                error.hint = f"your own {own} has one: awslogin login {name} --config {own}"
            raise

    def _is_in_own_config(self, name: str) -> bool:
        """Whether the person's own config, which does not count here, has that profile."""
        own = config_dir(self._environ) / "config.yaml"
        if own == self.path or not own.is_file():
            return False
        try:
            data = parse(own.read_bytes(), str(own)).data
        except (OSError, ConfigError):
            return False
        profiles = data.get("profiles") if isinstance(data, dict) else None
        return isinstance(profiles, dict) and name in profiles

    def provider(self, name: str) -> ProviderSpec:
        """A provider with checked options.

        Raises:
            ConfigError: There is no such provider, or its plugin is missing.
        """
        return self._resolver.provider(name)

    @cached_property
    def problems(self) -> list[ConfigError]:
        """What is wrong with single profiles and with providers that none of them uses."""
        return problems_of(self._model, self._resolver, self._document, trusted=self.trusted)

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return self.subject.content

    @cached_property
    def trusted_by_content(self) -> bool:
        """Whether the person has trusted the file as it is now."""
        return Trust(self._environ).holds(self.subject)

    def require_trust(self) -> None:
        """Refuse to act on a file that the person has not trusted.

        Raises:
            InteractionRequired: It is not trusted.
        """
        if not self.trusted:
            raise InteractionRequired(
                f"{self.path} was found here, but you have not said that you trust it as it is now",
                hint=f"read it, then `awslogin config trust {self.path}`",
            )
