"""What the agent holds, and the answer to who asks for a session. Owns no socket and no process.

A session is known by the ways in which it was asked for, as HTTP caches know a page: a `Place` has
variants, each with the variables that shaped it (`vary`) and the files that were read
(`validators`). Of many processes that ask for the same without a fresh session one signs in, the
full program in its own process; the others wait for what becomes of it.

The store is not thread-safe: its user holds a lock around each call.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from broker.agent.held import HeldSessions
from broker.agent.messages import Declare, Put
from broker.agent.unlocked import Guesses
from broker.file_fingerprint import file_fingerprint

Place = tuple[bytes, bytes, bytes]
"""How the config was found, its path, the profile."""
Names = frozenset[bytes]
Values = dict[bytes, bytes]


class Variant:
    """One way of asking for one session.

    Attributes:
        vary: Names of the variables that shaped it.
        digest: Their values, as something that tells nothing of them.
        plain_digest: Those of them that are no secrets, alike.
        validators: Fingerprints of the files that were read.
        session_id: What it leads to.
        has_secrets: Whether a secret variable was set.
        environ: Those values that are no secrets: `+value`, or `-` where it is not set.
        lasting: False for one that serves those who wait alone.
        login: Who signs in for it now.
    """

    def __init__(self, declared: Declare, digest: bytes, plain_digest: bytes) -> None:
        self.vary = frozenset(declared.vary)
        self.digest = digest
        self.plain_digest = plain_digest
        self.has_secrets = any(
            value != b"-" for name, value in declared.vary.items() if not is_plain(name)
        )
        self.validators = declared.validators
        self.session_id = declared.session_id
        self.environ = {name: v for name, v in declared.vary.items() if is_plain(name)}
        self.lasting = declared.lasting
        self.login: InflightLogin | None = None

    def is_what(self, declared: Declare) -> bool:
        """Whether it leads there, by the same files."""
        return (self.session_id, self.validators) == (declared.session_id, declared.validators)


class InflightLogin:
    """One process's sign-in, which others may wait for.

    Attributes:
        pid: The process.
        place: What it asked for.
        variant: In which way; None until it has read its config.
        over: Whether it has ended: with a failure, with texts, or with neither.
        failure: Exit code and line.
        texts: The session in every format.
    """

    def __init__(self, pid: int, place: Place, variant: Variant | None) -> None:
        self.pid = pid
        self.place = place
        self.variant = variant
        self.over = False
        self.failure: tuple[bytes, bytes] | None = None
        self.texts: dict[bytes, bytes] = {}


class NeedVariables(NamedTuple):
    """The answer depends on these variables of the asking process."""

    names: Names


class Take(NamedTuple):
    """The session's bytes."""

    text: bytes


class SignIn(NamedTuple):
    """The asking process signs in; `SessionStore.end` must be called when it has ended."""

    login: InflightLogin


class WaitFor(NamedTuple):
    """Another process signs in."""

    login: InflightLogin


Answer = NeedVariables | Take | SignIn | WaitFor


class SessionStore:
    """Sessions, the ways to them, and who signs in.

    Args:
        clock: Seconds of the epoch.
        fingerprint: A file's, by its path.

    Attributes:
        sessions: What is held.
        guesses: Counts wrong values of secret variables.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        fingerprint: Callable[[bytes], bytes] = file_fingerprint,
    ) -> None:
        self._fingerprint = fingerprint
        self.guesses = Guesses(clock)
        self.sessions = HeldSessions(clock, fingerprint)
        self._variants: dict[Place, list[Variant]] = {}
        self._undeclared: dict[Place, InflightLogin] = {}
        self._logins: dict[int, InflightLogin] = {}
        self._pepper = os.urandom(32)

    def answer(self, pid: int, place: Place, form: bytes, values: Values) -> Answer:
        """What a process gets that asks for a session.

        Args:
            pid: The process.
            place: What it asks for.
            form: In which format.
            values: What is known of its variables.
        """
        variants = self._variants_of(place)
        unknown = {name for variant in variants for name in variant.vary} - values.keys()
        if unknown:
            return NeedVariables(frozenset(unknown))
        variant = self._matching(variants, values)
        text = self.sessions.text(variant.session_id, form) if variant else None
        if text is not None:
            return Take(text)
        login = variant.login if variant else self._undeclared.get(place)
        return WaitFor(login) if login else SignIn(self._begin(pid, place, variant))

    def is_variant(self, variant: Variant, values: Values) -> bool:
        """Whether a process with these variables asks in that way."""
        return self._matching([variant], values) is variant

    def declare(self, pid: int, declared: Declare) -> None:
        """Learn a way of asking; a process that signs in does so for this one from now on."""
        place = declared.how, declared.config, declared.profile
        variants = self._variants_of(place)
        digest, plain_digest = self._digests(frozenset(declared.vary), declared.vary)
        same = [v for v in variants if v.vary == declared.vary.keys() and v.digest == digest]
        variant = same[0] if same else None
        if variant is None or not variant.is_what(declared):
            if variant:
                variants.remove(variant)
            variant = Variant(declared, digest, plain_digest)
        variant.lasting = declared.lasting
        login = self._logins.get(pid)
        if variant not in variants and (variant.lasting or login):
            variants.append(variant)
        if login and login.place == place and login.variant is not variant:
            if login.variant:
                login.variant.login = None
            login.variant = variant
            variant.login = variant.login or login
            self._undeclared.pop(place, None)

    def put(self, pid: int, put: Put) -> None:
        """Take a session; it is also what those get who wait for that process."""
        if put.file:
            self.sessions.hold(put)
        login = self._logins.get(pid)
        if login and login.variant and login.variant.session_id == put.session_id:
            login.texts = put.texts
            self.end(login)

    def fail(self, pid: int, code: bytes, line: bytes) -> None:
        """A process could not sign in: that is what those get who wait for it."""
        login = self._logins.get(pid)
        if login:
            login.failure = code, line
            self.end(login)

    def end(self, login: InflightLogin) -> None:
        """A process has signed in, has failed, or is gone."""
        login.over = True
        variant = login.variant
        if variant and variant.login is login:
            variant.login = None
            variants = self._variants.get(login.place, [])
            if not variant.lasting and variant in variants:
                variants.remove(variant)
        if self._undeclared.get(login.place) is login:
            del self._undeclared[login.place]
        if self._logins.get(login.pid) is login:
            del self._logins[login.pid]

    def signs_in(self) -> bool:
        """Whether somebody signs in now."""
        return bool(self._logins)

    def due(self) -> Iterator[tuple[Place, Variant]]:
        """Sessions that are to be got anew now; whoever takes one from here does that."""
        for place, variants in self._variants.items():
            for variant in variants:
                if variant.login or not self._holds(variant):
                    continue
                if self.sessions.take_due(variant.session_id):
                    yield place, variant

    def _begin(self, pid: int, place: Place, variant: Variant | None) -> InflightLogin:
        login = InflightLogin(pid, place, variant)
        self._logins[pid] = login
        if variant:
            variant.login = login
        else:
            self._undeclared[place] = login
        return login

    def _variants_of(self, place: Place) -> list[Variant]:
        """Those whose files are as they were; the others are gone for good."""
        variants = [variant for variant in self._variants.get(place, []) if self._holds(variant)]
        self._variants[place] = variants
        return variants

    def _holds(self, variant: Variant) -> bool:
        return all(self._fingerprint(path) == was for path, was in variant.validators.items())

    def _matching(self, variants: list[Variant], values: Values) -> Variant | None:
        """The variant of a process with these variables; who guesses secrets soon finds none."""
        open_ones = [v for v in variants if not (v.has_secrets and self.guesses.too_many())]
        guessed = False
        for variant in open_ones:
            digest, plain_digest = self._digests(variant.vary, values)
            if digest == variant.digest:
                return variant
            secrets = (values[name] for name in variant.vary if not is_plain(name))
            if variant.has_secrets and any(value != b"-" for value in secrets):
                guessed |= plain_digest == variant.plain_digest
        if guessed:
            self.guesses.note_wrong()
        return None

    def _digests(self, names: Names, values: Values) -> tuple[bytes, bytes]:
        """Of all values, and of those that are no secrets."""
        digests = [hashlib.blake2b(key=self._pepper) for _ in range(2)]
        for name in sorted(names):
            value = values[name]
            for digest in digests if is_plain(name) else digests[:1]:
                digest.update(b"%d:%b=%d:%b" % (len(name), name, len(value), value))
        return digests[0].digest(), digests[1].digest()


def is_plain(name: bytes) -> bool:
    """Whether a variable is no secret by its name, so that it may be kept and handed to a child."""
    secret = (b"SECRET", b"PASS", b"TOKEN", b"CODE", b"KEY_ID", b"CREDENTIAL")
    return not any(word in name.upper() for word in secret)
