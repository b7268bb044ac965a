"""Sessions in the agent's memory, in every format, as bytes that can be wiped. Owns their ends."""

from __future__ import annotations

from collections.abc import Callable

from broker.agent.messages import Put


class HeldSession:
    """One session; times are seconds of the epoch.

    Args:
        put: What the agent was given.

    Attributes:
        used: Whether a command or a program has got it.
    """

    def __init__(self, put: Put) -> None:
        self.sign_in_id = put.sign_in_id
        self.profile = put.profile
        self.file = put.file
        self.fingerprint = put.fingerprint
        self.fresh_until = put.fresh_until
        self.refresh_at = put.refresh_at
        self.expires_at = put.expires_at
        self.texts = {form: bytearray(text) for form, text in put.texts.items()}
        self.used = False


class HeldSessions:
    """Sessions by their ids. One whose file at rest is not as it was is held no more.

    Args:
        clock: Seconds of the epoch.
        fingerprint: A file's, by its path.
    """

    def __init__(self, clock: Callable[[], float], fingerprint: Callable[[bytes], bytes]) -> None:
        self._clock = clock
        self._fingerprint = fingerprint
        self._by_id: dict[bytes, HeldSession] = {}

    def hold(self, put: Put) -> None:
        """Hold a session in place of the one that has its id."""
        self._wipe(put.session_id)
        self._by_id[put.session_id] = HeldSession(put)

    def text(self, session_id: bytes, form: bytes) -> bytes | None:
        """A session in a format, if it is fresh."""
        held = self._by_id.get(session_id)
        return self._used(held, form) if held and self._clock() < held.fresh_until else None

    def text_until_it_ends(self, session_id: bytes, form: bytes) -> bytes | None:
        """A session in a format, though a new one is due."""
        held = self._by_id.get(session_id)
        return self._used(held, form) if held and self._clock() < held.expires_at else None

    def take_due(self, session_id: bytes) -> bool:
        """Whether a session is to be got anew now; true once, and once more when it is not fresh.

        One that nobody has got is not.
        """
        held = self._by_id.get(session_id)
        if not held or not held.used or self._clock() < held.refresh_at:
            return False
        early = self._clock() < held.fresh_until
        held.refresh_at = held.fresh_until if early else held.expires_at
        return True

    def forget(self, sign_in_id: bytes, profile: bytes) -> None:
        """Drop a sign-in's sessions, of one profile; an empty name means all."""
        for session_id, held in list(self._by_id.items()):
            if sign_in_id in {b"", held.sign_in_id} and profile in {b"", held.profile}:
                self._wipe(session_id)

    def wipe(self) -> None:
        """Drop all."""
        for session_id in list(self._by_id):
            self._wipe(session_id)

    def drop_what_ended(self) -> None:
        """Drop those that have ended, or whose file at rest has changed."""
        for session_id, held in list(self._by_id.items()):
            if self._clock() >= held.expires_at or not self._is_at_rest(held):
                self._wipe(session_id)

    def count_fresh(self) -> int:
        """How many there are that a command would get."""
        return sum(map(self.is_fresh, self._by_id))

    def is_fresh(self, session_id: bytes) -> bool:
        """Whether a command would get this session."""
        held = self._by_id.get(session_id)
        return bool(held and self._is_at_rest(held) and self._clock() < held.fresh_until)

    def _used(self, held: HeldSession, form: bytes) -> bytes | None:
        if form not in held.texts or not self._is_at_rest(held):
            return None
        held.used = True
        return bytes(held.texts[form])

    def _is_at_rest(self, held: HeldSession) -> bool:
        return self._fingerprint(held.file) == held.fingerprint

    def _wipe(self, session_id: bytes) -> None:
        held = self._by_id.pop(session_id, None)
        for text in held.texts.values() if held else ():
            text[:] = bytes(len(text))
