"""The ways in which a profile's session was asked for last, sealed beside it, for want of an agent.

Each is what the agent knows as a variant (`broker.agent.variant`): the files that were read, with
their fingerprints, the variables that were looked at, and the session's id. As long as all are as
they were, a fresh session is handed out without YAML, the config's models and the command line's
library.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from broker import __version__, render
from broker.agent.ancestors import narrowed_above
from broker.cache import SessionCache
from broker.credentials import RoleParameters
from broker.environment import NARROWED
from broker.errors import AwsLoginError
from broker.file_fingerprint import file_fingerprint
from broker.paths import data_dir, require_own_folders
from broker.ports import keychain
from broker.ports.clock import Clock
from broker.ports.ui import Ui
from broker.recording_environ import compared
from broker.seal import SealedFiles, sealed_here

if TYPE_CHECKING:
    from broker.agent.messages import Declare
    from broker.ports.secrets import Keychain

MAX_WAYS = 4
"""Ways that are kept of one profile, such as those of two shells with other variables."""
FIELDS = {"session_id", "files", "variables", "values", "asked"}
MIN_TTL = timedelta(minutes=15)
"""What must be left of a session; `--min-ttl` is the full program's."""


def keep(sealed: SealedFiles, variant: Declare, asked: RoleParameters) -> None:
    """Keep the way in which a command has asked, where sessions are kept.

    Args:
        sealed: Where.
        variant: The way.
        asked: The profile: a person reads more of it than the session tells.
    """
    if not (variant.lasting and sealed.outlive_this_process):
        return
    name = _name(variant.how, variant.config, variant.profile)
    way = {
        "session_id": variant.session_id.decode(),
        "files": {os.fsdecode(path): was.decode() for path, was in variant.validators.items()},
        "variables": sorted(map(os.fsdecode, variant.vary)),
        "values": _digest(sealed, variant.vary),
        "asked": {key: getattr(asked, key) for key in ("region", "role", "role_arn", "mfa_serial")},
    }
    known = _ways(sealed, name)
    if way not in known:
        alike = ("variables", "values")
        others = [other for other in known if any(other[key] != way[key] for key in alike)]
        sealed.write(name, json.dumps([way, *others][:MAX_WAYS]).encode())


def answer(
    place: tuple[str, str],
    profile: str,
    output: str,
    environ: Mapping[str, str] = os.environ,
    *,
    may_ask: bool = False,
    quiet: bool = True,
) -> str | None:
    """The session of a profile in a format; None where the full program must find it.

    Args:
        place: How the config is found, and where (`broker.warm.place_of`).
        profile: Its name.
        output: The format.
        environ: The environment.
        may_ask: Whether a person may be waited for, at the keychain's own dialog.
        quiet: Whether they are not told so.
    """
    how, path = place
    if environ.get(NARROWED) or narrowed_above(os.getppid()):
        return None
    try:
        require_own_folders(environ)
        sealed = sealed_here(environ, _keychain(environ, may_ask=may_ask, quiet=quiet))
        for way in _ways(sealed, _name(how.encode(), os.fsencode(path), profile.encode())):
            if _is_as_it_was(sealed, way, environ):
                session = SessionCache(sealed, Clock()).fresh(way["session_id"], MIN_TTL)
                asked = RoleParameters(**way["asked"])
                text = render.in_format(session, output, {}, asked) if session else ""
                return text if text.isascii() and text else None
    except (AwsLoginError, OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # a locked keychain, or a damaged record
    return None


def _keychain(environ: Mapping[str, str], *, may_ask: bool, quiet: bool) -> Keychain:
    """This machine's, which the full program goes on with: it is opened, and waited for, once.

    But for a vault whose passphrase is not given: the full program asks for it.
    """
    locked = not environ.get("AWSLOGIN_PASSPHRASE") and (data_dir(environ) / "vault").exists()
    may_ask = may_ask and not locked and environ.get("CI", "").lower() != "true"
    found = keychain.LazyKeychain(Ui(environ, may_ask=may_ask, quiet=quiet), environ)
    if not locked:
        keychain.opened = found
    return found


def _is_as_it_was(sealed: SealedFiles, way: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Whether the files are unchanged, and the variables as they were."""
    if any(file_fingerprint(path).decode() != was for path, was in way["files"].items()):
        return False
    vary = compared({name: environ.get(name) for name in way["variables"]})
    return hmac.compare_digest(_digest(sealed, vary), way["values"])


def _ways(sealed: SealedFiles, name: str) -> list[dict[str, Any]]:
    """The ways that are kept under a name; one of another shape is none."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(sealed.read(name) or b"[]")
        if isinstance(found, list):
            return [way for way in found if isinstance(way, dict) and way.keys() == FIELDS]
    return []


def _digest(sealed: SealedFiles, vary: Mapping[bytes, bytes]) -> str:
    """The variables' values as something that tells nothing of them, not even to who guesses."""
    digest = hmac.new(sealed.keyed_hash_key() or b"", digestmod=hashlib.sha256)
    for name in sorted(vary):
        digest.update(b"%d:%b=%d:%b" % (len(name), name, len(vary[name]), vary[name]))
    return digest.hexdigest()


def _name(*parts: bytes) -> str:
    """Another version may decide otherwise whose session it is, so each has records of its own."""
    parts = (__version__.encode(), *parts)
    return "variant-" + hashlib.sha256(b"\0".join(parts)).hexdigest()[:40]
