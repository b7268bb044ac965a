"""Which sign-in each profile of a config stands on, as an earlier command has found it.

It spares `list` and `status` the providers and their models. One file for each config in our state
folder, written whole. It counts as long as every file that the config was read from, or by which a
provider is chosen, is as it was, and every variable that was looked at has its value. No secret is
in it: names, types and ids.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import broker
from broker import registry, settings
from broker.agent.client import LENT, SHAPING
from broker.errors import AwsLoginError, InteractionRequired
from broker.file_fingerprint import file_fingerprint, is_trustworthy
from broker.fingerprint import fingerprint
from broker.paths import read_own_or_none, state_dir
from broker.record_files import MAX_PROFILES, digest_of, write_record
from broker.warm import working_directory

if TYPE_CHECKING:
    from broker.config import Config, Profile
    from broker.plugins import Plugins
    from broker.recording_environ import RecordingEnviron

SECRETS = frozenset(["AWSLOGIN_PASSPHRASE", LENT])
"""Variables that open the keychain: no sign-in is another one by them."""
ENDPOINTS = "AWS_ENDPOINT_URL"
"""What the names of variables begin with that move a sign-in to another endpoint."""


class SignIn(NamedTuple):
    """A profile's sign-in.

    Attributes:
        provider: The name of the provider that signs in.
        type: Its type.
        id: Names the sign-in (`broker.identity.sign_in_id`).
        has_places: Whether the provider may have several places, of which one serves.
    """

    provider: str
    type: str
    id: str
    has_places: bool


class SignIns:
    """The sign-ins of a config's profiles; what is not kept is asked of their providers.

    Args:
        config: Its profiles are asked about, as it has them.
        plugins: Their providers.
        environ: The environment; it tells which variables were looked at.
    """

    def __init__(self, config: Config, plugins: Plugins, environ: RecordingEnviron) -> None:
        self._config = config
        self._plugins = plugins
        self._environ = environ
        self._asked: set[str] = set()

    def provider(self, profile: Profile) -> tuple[str, str]:
        """Name and type of the provider that would run, or of the first where none can."""
        recorded = self._recorded_of(profile)
        if recorded:
            return recorded.provider, recorded.type
        spec = self._plugins.likely_spec(profile)
        return spec.name, spec.type

    def id(self, profile: Profile) -> str:
        """Names the sign-in.

        Raises:
            InteractionRequired: None of the profile's providers can work here.
        """
        recorded = self._recorded_of(profile)
        return recorded.id if recorded else self._plugins.identity(profile).sign_in_id

    def has_places(self, profile: Profile) -> bool:
        """Whether the provider may have several places, of which one serves.

        Raises:
            InteractionRequired: None of the profile's providers can work here.
        """
        recorded = self._recorded_of(profile)
        return recorded.has_places if recorded else self._found(profile).has_places

    def keep(self) -> None:
        """Keep those that were asked about, where they are as good later."""
        new = self._asked - self._recorded.keys()
        if new and self._may_keep:
            with contextlib.suppress(AwsLoginError, OSError, ValueError):  # a full disk keeps none
                self._keep([self._config.profile(name) for name in new])

    def _keep(self, profiles: list[Profile]) -> None:
        deciding = self._deciding(profiles)
        files = {
            **{each: stamp.encode() for each, stamp in self._record.get("files", {}).items()},
            **self._config.fingerprints,
            **{each: file_fingerprint(each) for each in (*self._own_files(), *deciding)},
        }
        found = {}
        for profile in profiles:
            with contextlib.suppress(InteractionRequired):  # its providers can work elsewhere
                sign_in = self._found(profile)
                if registry.is_own(sign_in.type):
                    found[profile.name] = sign_in
        if not found or not all(map(is_trustworthy, files.values())):
            return
        values = self._values(self._environ.seen(SHAPING))
        record = {
            "files": {each: stamp.decode() for each, stamp in files.items()},
            "folder": working_directory() if deciding or self._record.get("folder") else None,
            "variables": sorted(values),
            "values": digest_of(values),
            "sign_ins": {**self._recorded, **found},
        }
        write_record(self._file, record)

    def _recorded_of(self, profile: Profile) -> SignIn | None:
        self._asked.add(profile.name)
        return self._recorded.get(profile.name)

    @cached_property
    def _recorded(self) -> dict[str, SignIn]:
        return {name: SignIn(*each) for name, each in self._record.get("sign_ins", {}).items()}

    @cached_property
    def _record(self) -> dict[str, Any]:
        """The file's content; nothing where there is none, or not all is as it was."""
        if not self._may_keep:
            return {}
        try:
            record: dict[str, Any] = json.loads(read_own_or_none(self._file) or b"{}")
            files, variables = record["files"].items(), record["variables"]
            if record["folder"] not in (None, working_directory()):
                return {}
            if any(file_fingerprint(each).decode() != stamp for each, stamp in files):
                return {}
            if digest_of(self._values(variables)) != record["values"]:
                return {}
            _ = [SignIn(*each) for each in record["sign_ins"].values()]
        except (AwsLoginError, OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        return record

    @property
    def _may_keep(self) -> bool:
        is_small = len(self._config.names) <= MAX_PROFILES
        in_ci = self._environ.get("CI", "").lower() == "true"
        return self._config.trusted and is_small and not in_ci

    @cached_property
    def _file(self) -> Path:
        values = {"version": broker.__version__, "path": str(self._config.path)}
        return state_dir(self._environ) / "sign-ins" / f"{fingerprint(values)}.json"

    def _found(self, profile: Profile) -> SignIn:
        identity = self._plugins.identity(profile)
        spec = identity.spec
        has_places = spec.plugin.has_places(spec.options)
        return SignIn(spec.name, spec.type, identity.sign_in_id, has_places)

    def _own_files(self) -> tuple[str, str]:
        """Of a person's settings, and of awslogin itself: another installation, another record."""
        return str(settings.path(self._environ)), str(broker.__file__)

    def _deciding(self, profiles: list[Profile]) -> set[str]:
        """Files by which providers are chosen; a relative one is another in each folder."""
        names = {name for profile in profiles for name in profile.root.provider_names}
        specs = [self._config.provider(name) for name in names]
        return {each for spec in specs for each in spec.plugin.decided_by(spec.options)}

    def _values(self, names: Iterable[str]) -> dict[str, str | None]:
        """The variables of these names, and all that move a sign-in to another endpoint."""
        endpoints = {name for name in self._environ if name.startswith(ENDPOINTS)}
        return {name: self._environ.get(name) for name in {*names, *endpoints} - SECRETS}
