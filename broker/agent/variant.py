"""From a profile to the door at which the agent may answer for it. Owns what must be unchanged."""

from __future__ import annotations

from broker import settings
from broker.agent.client import SHAPING, Door
from broker.config import Config, Profile
from broker.entry import place_of
from broker.file_fingerprint import file_fingerprint, is_trustworthy
from broker.recording_environ import RecordingEnviron


def door_of(
    config: Config, profile: Profile, environ: RecordingEnviron, option: str | None
) -> Door | None:
    """The door, or None where the profile is not as the config alone has it.

    Args:
        config: Just loaded.
        profile: Its session's key has been computed, so that `environ` was asked for all it needs.
        environ: Tells what shaped the session.
        option: `--config`.
    """
    if profile is not config.profile(profile.name):
        return None
    files = [str(settings.path(environ)), *_deciding(config, profile)]
    stamps = {**config.fingerprints, **{file: file_fingerprint(file) for file in files}}
    try:
        place = place_of(option or "")
    except OSError:
        return None
    return Door(
        place,
        profile.name,
        stamps,
        environ.seen(SHAPING),
        proven=all(is_trustworthy(told) for told in stamps.values()),
    )


def _deciding(config: Config, profile: Profile) -> list[str]:
    """Files by which a provider is chosen, or by which one session differs from another."""
    specs = [config.provider(name) for name in profile.root.provider_names]
    return [file for spec in specs for file in spec.plugin.decided_by(spec.options)]
