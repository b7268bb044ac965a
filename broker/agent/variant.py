"""From a profile to what the agent must know to answer for it. Owns what must be unchanged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from broker import settings
from broker.agent.client import SHAPING
from broker.agent.messages import Declare
from broker.file_fingerprint import file_fingerprint, is_trustworthy
from broker.recording_environ import RecordingEnviron, compared
from broker.warm import leads_by_process

if TYPE_CHECKING:
    from broker.config import Config, Profile


def variant_of(
    config: Config,
    profile: Profile,
    environ: RecordingEnviron,
    place: tuple[str, str],
    session_id: str,
    *,
    began_ns: int,
) -> Declare | None:
    """The way in which this command asks; None where the next one alike may want another session.

    It may where the profile is not as the config has it, and where a file's path leads elsewhere
    in another working directory. Then neither the agent nor `broker.kept_variant` answers for it.

    Args:
        config: Just loaded.
        profile: Its session's id has been computed, so that `environ` was asked for all it needs.
        environ: Tells what shaped the session.
        place: How its config was found, and where (`broker.warm.place_of`).
        session_id: Names the session.
        began_ns: When this command began, in nanoseconds since 1970: a file that was changed since
            may have been read before that.
    """
    if profile is not config.profile(profile.name):
        return None
    files = [str(settings.path(environ)), *_deciding(config, profile)]
    fingerprints = {**config.fingerprints, **{file: file_fingerprint(file) for file in files}}
    if any(not os.path.isabs(file) or leads_by_process(file) for file in fingerprints):
        return None
    how, path = place
    return Declare(
        how=how.encode(),
        config=os.fsencode(path),
        profile=profile.name.encode(),
        session_id=session_id.encode(),
        lasting=all(is_trustworthy(fingerprint, began_ns) for fingerprint in fingerprints.values()),
        validators={os.fsencode(file): fingerprint for file, fingerprint in fingerprints.items()},
        vary=compared(environ.seen(SHAPING)),
    )


def _deciding(config: Config, profile: Profile) -> list[str]:
    """Files by which a provider is chosen, or by which one session differs from another."""
    specs = [config.provider(name) for name in profile.root.provider_names]
    return [file for spec in specs for file in spec.plugin.decided_by(spec.options)]
